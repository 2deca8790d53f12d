import { createHash } from 'node:crypto';
import {
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
  type IBackoff,
  isBrokenCircuitError,
} from 'cockatiel';
import type { Clock } from './clock.ts';
import { CloudHttp, CloudHttpError, type JsonObject } from './cloud_http.ts';
import { CODE, hintOf, isPassing, verdictOf } from './im_codes.ts';
import { ImError, type ImFailure, type ImGroups, type PusherChangeNotice } from './im_mgr.ts';
import type { Log } from './log.ts';

const FAILURES_IN_A_ROW_MAX = 5;
const BREAK_MS = 1000;
const HINT_INTERVAL_MS = 60_000;
const ERROR_INFO_LENGTH_MAX = 200;

/** What the members' clients wait for, letter by letter. */
const PUSHER_CHANGE_TEXT = '{"cmd":"notifyPusherChange","data":""}';
// Old mini-programs cut a group message at "}}" and parse what they glue together again: with ""
// in place of {} that throws inside their IM library, and they hear nothing more in this room.
const PUSHER_CHANGE_MESSAGE = '{"cmd":"notifyPusherChange","data":{}}';

export type NotifyMode = 'auto' | 'systemNotification' | 'groupMessage';

export interface TencentImSettings {
  readonly host: string;
  readonly sdkAppID: number;
  readonly administrator: string;
  readonly notifyMode: NotifyMode;
}

export interface TencentImParts {
  readonly settings: TencentImSettings;
  /** A valid userSig of the administrator; asked for at every call. */
  readonly adminSig: () => string;
  readonly log: Log;
  readonly clock: Clock;
  readonly randomUint32: () => number;
  /** Total time of one call; 3 s unless told. */
  readonly callLimitMs?: number;
}

/** IM groups in Tencent Cloud, through its REST API. */
export function openTencentIm(parts: TencentImParts): ImGroups {
  return new TencentImGroups(parts);
}

class TencentImGroups implements ImGroups {
  readonly driver = 'tencent';
  readonly #gateway: Gateway;
  readonly #administrator: string;
  readonly #log: Log;
  #notifyMode: NotifyMode;

  constructor(parts: TencentImParts) {
    this.#gateway = new Gateway(parts);
    this.#administrator = parts.settings.administrator;
    this.#log = parts.log;
    this.#notifyMode = parts.settings.notifyMode;
  }

  async createGroup(groupID: string): Promise<'created' | 'taken'> {
    const { errorCode } = await this.#gateway.call({
      api: 'create_group',
      body: {
        Owner_Account: this.#administrator,
        Type: 'AVChatRoom',
        GroupId: groupID,
        Name: 'group_name',
      },
      expected: [CODE.groupIsOurs, CODE.groupIsTaken],
      isUrgent: true,
    });
    return errorCode === CODE.groupIsTaken ? 'taken' : 'created';
  }

  async destroyGroup(groupID: string): Promise<void> {
    await this.#gateway.call({
      api: 'destroy_group',
      body: { GroupId: groupID },
      expected: [CODE.groupIsUnknown],
    });
  }

  async notifyPusherChange(notice: PusherChangeNotice): Promise<void> {
    const limit = this.#gateway.newLimit();
    if (this.#notifyMode === 'groupMessage') return this.#sendGroupMessage(notice, limit);
    try {
      await this.#sendSystemNotification(notice, limit);
    } catch (error) {
      if (this.#notifyMode === 'systemNotification' || !isRefusalOfTheApi(error)) throw error;
      await this.#sendGroupMessage(notice, limit);
      this.#settleOnGroupMessage(error);
    }
  }

  async close(): Promise<void> {
    this.#gateway.close();
  }

  async #sendSystemNotification(notice: PusherChangeNotice, limit: Limit): Promise<void> {
    await this.#gateway.call({
      api: 'send_group_system_notification',
      body: { GroupId: notice.groupID, Content: PUSHER_CHANGE_TEXT },
      limit,
    });
  }

  async #sendGroupMessage(notice: PusherChangeNotice, limit: Limit): Promise<void> {
    const { dropReason } = await this.#gateway.call({
      api: 'send_group_msg',
      body: {
        GroupId: notice.groupID,
        From_Account: this.#administrator,
        Random: uint32Of(notice.dedupeKey),
        MsgBody: [
          {
            MsgType: 'TIMCustomElem',
            MsgContent: { Data: PUSHER_CHANGE_MESSAGE, Desc: '', Ext: '' },
          },
        ],
      },
      limit,
    });
    if (dropReason === '') return;
    throw new ImError({
      message: `Tencent IM dropped the message of send_group_msg: ${dropReason}.`,
      kind: 'retry',
      about: 'request',
      mayBeDone: false,
    });
  }

  #settleOnGroupMessage({ errorCode }: ImError): void {
    if (this.#notifyMode === 'groupMessage') return;
    this.#notifyMode = 'groupMessage';
    this.#log.warn('im_notify_mode_changed', {
      from: 'systemNotification',
      to: 'groupMessage',
      errorCode,
      hint: 'Tencent refuses system notifications to this app; set im.notifyMode to choose yourself.',
    });
  }
}

/** The same key gives the same number, by which IM drops a repeated message for five minutes. */
function uint32Of(dedupeKey: string): number {
  return createHash('sha256').update(dedupeKey).digest().readUInt32BE(0);
}

/** The signal that ends a call in time. It runs from when it is first asked for. */
type Limit = () => AbortSignal;

interface Call {
  readonly api: string;
  readonly body: JsonObject;
  /** Codes beside 0 that are answers, not failures. */
  readonly expected?: readonly number[];
  /** A client waits: a passing failure is repeated at once, and nobody else is waited for. */
  readonly isUrgent?: boolean;
  /** Shared with other calls; one of its own unless given. */
  readonly limit?: Limit;
}

interface Reply {
  readonly errorCode: number;
  readonly errorInfo: string;
  /** Why a message was accepted and then not sent; '' when it was sent. */
  readonly dropReason: string;
  /** An attempt before this one may have been carried out. */
  readonly isRepeat: boolean;
}

/** The way to the REST API: one call form, one time limit, a breaker for what clients wait for and one for the rest. */
class Gateway {
  readonly #settings: TencentImSettings;
  readonly #adminSig: () => string;
  readonly #randomUint32: () => number;
  readonly #http: CloudHttp;
  /** One each, because trouble with what runs in the background should refuse nobody a room. */
  readonly #breakers: Readonly<Record<'urgent' | 'background', Breaker>>;
  readonly #hints: Hints;

  constructor(parts: TencentImParts) {
    this.#settings = parts.settings;
    this.#adminSig = parts.adminSig;
    this.#randomUint32 = parts.randomUint32;
    this.#http = new CloudHttp({ callLimitMs: parts.callLimitMs });
    this.#breakers = {
      urgent: newBreaker({ ...parts, calls: 'create_group' }),
      background: newBreaker({ ...parts, calls: 'notices and destroy_group' }),
    };
    this.#hints = new Hints(parts);
  }

  newLimit(): Limit {
    let signal: AbortSignal | undefined;
    return () => {
      signal ??= this.#http.newLimit();
      return signal;
    };
  }

  async call(call: Call): Promise<Reply> {
    // Outside the breaker: failing to sign says nothing about IM.
    const userSig = this.#adminSig();
    const limit = call.limit ?? this.newLimit();
    const attempt = () => this.#post(call, { userSig, signal: limit() });
    const reply = await this.#unlessDown(call, () =>
      call.isUrgent ? repeatedOnce(attempt, limit) : attempt(),
    );
    if (reply.errorCode === 0 || call.expected?.includes(reply.errorCode)) return reply;
    this.#hints.give(call.api, reply.errorCode);
    throw new ImError(refusalOf(call.api, reply));
  }

  close(): void {
    this.#http.close();
  }

  /**
   * Only one call of a breaker at a time finds out whether IM is back. What runs in the background waits for
   * its outcome: being refused just then would cost it another round of backing off.
   */
  async #unlessDown({ api, isUrgent }: Call, fetchReply: () => Promise<Reply>): Promise<Reply> {
    const breaker = this.#breakers[isUrgent ? 'urgent' : 'background'];
    if (isUrgent && breaker.state === CircuitState.HalfOpen) throw notAsked(api);
    try {
      return await breaker.execute(() => unlessLate(breaker, fetchReply));
    } catch (error) {
      if (error instanceof LateFailure) throw error.cause;
      throw isBrokenCircuitError(error) ? notAsked(api) : error;
    }
  }

  async #post(
    { api, body }: Call,
    { userSig, signal }: { readonly userSig: string; readonly signal: AbortSignal },
  ): Promise<Reply> {
    const { host, sdkAppID, administrator } = this.#settings;
    const path = `/v4/group_open_http_svc/${api}`;
    const query = {
      sdkappid: String(sdkAppID),
      identifier: administrator,
      usersig: userSig,
      random: String(this.#randomUint32()),
      contenttype: 'json',
    };
    try {
      return replyOf(await this.#http.fetchJson({ host, path, query, body, signal }), userSig);
    } catch (error) {
      throw error instanceof CloudHttpError ? unreachable(api, error.message) : error;
    }
  }
}

/** One more attempt after a passing failure, inside the same time limit; never a third. */
async function repeatedOnce(attempt: () => Promise<Reply>, limit: Limit): Promise<Reply> {
  try {
    const reply = await attempt();
    if (!isPassing(reply.errorCode)) return reply;
  } catch (error) {
    if (!isUnreachable(error) || limit().aborted) throw error;
  }
  return { ...(await attempt()), isRepeat: true };
}

/** The library would take a failure from before the break for the failure of the try under way. */
async function unlessLate(breaker: Breaker, fetchReply: () => Promise<Reply>): Promise<Reply> {
  const isTry = breaker.state !== CircuitState.Closed;
  try {
    return await fetchReply();
  } catch (cause) {
    const isLate = !isTry && breaker.state !== CircuitState.Closed;
    throw isLate ? new LateFailure('It began before the break.', { cause }) : cause;
  }
}

type Breaker = ReturnType<typeof newBreaker>;

function newBreaker(parts: Pick<TencentImParts, 'clock' | 'log'> & { readonly calls: string }) {
  const { clock, log, calls } = parts;
  const breaker = circuitBreaker(handleWhen(isUnreachable), {
    breaker: new ConsecutiveBreaker(FAILURES_IN_A_ROW_MAX),
    halfOpenAfter: { next: () => pauseBy(clock) },
  });
  let downSinceMs: number | undefined;
  breaker.onBreak(() => {
    if (downSinceMs !== undefined) return;
    downSinceMs = clock.monotonicMs();
    log.warn('im_unreachable', { calls, failuresInARow: FAILURES_IN_A_ROW_MAX });
  });
  breaker.onReset(() => {
    log.info('im_reachable_again', { calls, downMs: clock.monotonicMs() - (downSinceMs ?? 0) });
    downSinceMs = undefined;
  });
  return breaker;
}

/**
 * How long the breaker stays open. It compares `duration` with the wall clock, which may jump back
 * and keep it open for hours, so our clock decides and the comparison has only one outcome.
 */
function pauseBy(clock: Clock): IBackoff<unknown> {
  const endsAtMs = clock.monotonicMs() + BREAK_MS;
  return {
    get duration() {
      const isOver = clock.monotonicMs() >= endsAtMs;
      return isOver ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    },
    next: () => pauseBy(clock),
  };
}

function unreachable(api: string, trouble: string): ImError {
  const message = `Tencent IM could not be asked for ${api}: ${trouble}.`;
  return new ImError({ message, kind: 'retry', about: 'network', mayBeDone: true });
}

function notAsked(api: string): ImError {
  const message = `Tencent IM was not asked for ${api}: it was out of reach a moment ago.`;
  return new ImError({ message, kind: 'retry', about: 'network', mayBeDone: false });
}

/** A failure that says nothing new to the breaker. */
class LateFailure extends Error {}

function isUnreachable(error: unknown): boolean {
  return error instanceof ImError && error.about === 'network';
}

function replyOf(answer: JsonObject, userSig: string): Reply {
  const { ErrorCode: errorCode, ErrorInfo, MsgDropReason } = answer;
  if (typeof errorCode !== 'number' || !Number.isInteger(errorCode)) {
    throw new CloudHttpError('the answer is not one of IM');
  }
  return {
    errorCode,
    errorInfo: loggable({ value: ErrorInfo, userSig }),
    dropReason: loggable({ value: MsgDropReason, userSig }),
    isRepeat: false,
  };
}

/** A text of theirs for the log: short, on one line, and without the userSig it may repeat. */
function loggable({ value, userSig }: { value: unknown; userSig: string }): string {
  if (typeof value !== 'string') return '';
  const clean = value.replaceAll(userSig, '[userSig]').replace(/\p{Cc}+/gu, ' ');
  return clean.slice(0, ERROR_INFO_LENGTH_MAX);
}

function refusalOf(api: string, { errorCode, errorInfo, isRepeat }: Reply): ImFailure {
  const message = `Tencent IM refused ${api} with ErrorCode ${errorCode}: ${errorInfo || 'no reason given'}.`;
  const mayBeDone = isRepeat || isPassing(errorCode);
  return { message, errorCode, mayBeDone, ...verdictOf(errorCode) };
}

/** This way of telling the members will never work, though another one may. */
function isRefusalOfTheApi(error: unknown): error is ImError {
  if (!(error instanceof ImError) || error.kind !== 'final') return false;
  if (error.errorCode === CODE.planLacksIt) return true;
  // These two speak of one message only: a bad argument, and a callback of the app that said no.
  const isOfOneMessage =
    error.errorCode === CODE.argumentIsBad || error.errorCode === CODE.callbackRefused;
  return error.about === 'request' && !isOfOneMessage;
}

/** Tells the operator what to repair, at most once a minute for each code. */
class Hints {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #givenAtMs = new Map<number, number>();

  constructor({ log, clock }: Pick<TencentImParts, 'log' | 'clock'>) {
    this.#log = log;
    this.#clock = clock;
  }

  give(api: string, errorCode: number): void {
    if (verdictOf(errorCode).about !== 'credentials') return;
    const nowMs = this.#clock.monotonicMs();
    const givenAtMs = this.#givenAtMs.get(errorCode);
    if (givenAtMs !== undefined && nowMs - givenAtMs < HINT_INTERVAL_MS) return;
    this.#givenAtMs.set(errorCode, nowMs);
    this.#log.warn('im_credentials_refused', { api, errorCode, hint: hintOf(errorCode) });
  }
}

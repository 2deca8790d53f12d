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

  /** The creator of the room waits for this answer, so a passing failure is repeated once, at once. */
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
      repeatOnce: true,
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
    const signal = this.#gateway.limit();
    if (this.#notifyMode === 'groupMessage') return this.#sendGroupMessage(notice, signal);
    try {
      await this.#sendSystemNotification(notice, signal);
    } catch (error) {
      if (this.#notifyMode === 'systemNotification' || !isRefusalOfTheApi(error)) throw error;
      await this.#sendGroupMessage(notice, signal);
      this.#settleOnGroupMessage(error);
    }
  }

  async close(): Promise<void> {
    this.#gateway.close();
  }

  async #sendSystemNotification(notice: PusherChangeNotice, signal: AbortSignal): Promise<void> {
    await this.#gateway.call({
      api: 'send_group_system_notification',
      body: { GroupId: notice.groupID, Content: PUSHER_CHANGE_TEXT },
      signal,
    });
  }

  async #sendGroupMessage(notice: PusherChangeNotice, signal: AbortSignal): Promise<void> {
    const { dropReason } = await this.#gateway.call({
      api: 'send_group_msg',
      body: {
        GroupId: notice.groupID,
        From_Account: this.#administrator,
        Random: uint32Of(notice.dedupeKey),
        MsgBody: [
          {
            MsgType: 'TIMCustomElem',
            MsgContent: { Data: PUSHER_CHANGE_TEXT, Desc: '', Ext: '' },
          },
        ],
      },
      signal,
    });
    if (dropReason === '') return;
    throw new ImError({
      message: `Tencent IM dropped the message of send_group_msg: ${dropReason}.`,
      kind: 'retry',
      about: 'request',
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

interface Call {
  readonly api: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** Codes beside 0 that are answers, not failures. */
  readonly expected?: readonly number[];
  readonly repeatOnce?: boolean;
  /** Limit shared with other calls. */
  readonly signal?: AbortSignal;
}

interface Reply {
  readonly errorCode: number;
  readonly errorInfo: string;
  /** Why a message was accepted and then not sent; '' when it was sent. */
  readonly dropReason: string;
}

/** The way to the REST API: one call form, one time limit, one breaker for all commands. */
class Gateway {
  readonly #settings: TencentImSettings;
  readonly #adminSig: () => string;
  readonly #randomUint32: () => number;
  readonly #callLimitMs: number;
  readonly #agents = newAgents();
  readonly #axios: AxiosInstance;
  readonly #breaker: ReturnType<typeof newBreaker>;
  readonly #hints: Hints;

  constructor(parts: TencentImParts) {
    this.#settings = parts.settings;
    this.#adminSig = parts.adminSig;
    this.#randomUint32 = parts.randomUint32;
    this.#callLimitMs = parts.callLimitMs ?? CALL_LIMIT_MS;
    this.#axios = newAxios(this.#agents);
    this.#breaker = newBreaker(parts);
    this.#hints = new Hints(parts);
  }

  limit(): AbortSignal {
    // The library's own `timeout` starts only when the connection stands.
    return AbortSignal.timeout(this.#callLimitMs);
  }

  async call(call: Call): Promise<Reply> {
    const signal = call.signal ?? this.limit();
    const attempt = () => this.#post(call, signal);
    const reply = await this.#unlessDown(call.api, () =>
      call.repeatOnce ? repeatedOnce(attempt, signal) : attempt(),
    );
    if (reply.errorCode === 0 || call.expected?.includes(reply.errorCode)) return reply;
    this.#hints.give(call.api, reply.errorCode);
    throw new ImError(refusalOf(call.api, reply));
  }

  close(): void {
    this.#agents.httpAgent.destroy();
    this.#agents.httpsAgent.destroy();
  }

  /** Only one call at a time finds out whether IM is back; the others do not wait for it. */
  async #unlessDown(api: string, fetchReply: () => Promise<Reply>): Promise<Reply> {
    if (this.#breaker.state === CircuitState.HalfOpen) throw unreachable(api, DOWN);
    try {
      return await this.#breaker.execute(fetchReply);
    } catch (error) {
      throw isBrokenCircuitError(error) ? unreachable(api, DOWN) : error;
    }
  }

  async #post(call: Call, signal: AbortSignal): Promise<Reply> {
    const userSig = this.#adminSig();
    const url = this.#urlOf(call.api, userSig);
    const { status, data } = await this.#axios
      .post<unknown>(url, call.body, { signal })
      .catch((error: unknown) => {
        // The library's error holds the URL, and the URL holds the userSig: it ends here.
        throw unreachable(call.api, signal.aborted ? 'no answer in time' : troubleOf(error));
      });
    if (status !== 200) throw unreachable(call.api, `HTTP status ${status}`);
    const reply = replyOf({ answer: data, userSig });
    if (reply === undefined) throw unreachable(call.api, 'the answer is not one of IM');
    return reply;
  }

  #urlOf(api: string, userSig: string): string {
    const { host, sdkAppID, administrator } = this.#settings;
    const query = new URLSearchParams({
      sdkappid: String(sdkAppID),
      identifier: administrator,
      usersig: userSig,
      random: String(this.#randomUint32()),
      contenttype: 'json',
    });
    return `${host.replace(/\/+$/, '')}/v4/group_open_http_svc/${api}?${query}`;
  }
}

/** One more attempt after a passing failure, inside the same time limit; never a third. */
async function repeatedOnce(attempt: () => Promise<Reply>, signal: AbortSignal): Promise<Reply> {
  try {
    const reply = await attempt();
    if (!PASSING_CODES.has(reply.errorCode)) return reply;
  } catch (error) {
    if (!isUnreachable(error) || signal.aborted) throw error;
  }
  return attempt();
}

function newBreaker({ clock, log }: Pick<TencentImParts, 'clock' | 'log'>) {
  const breaker = circuitBreaker(handleWhen(isUnreachable), {
    breaker: new ConsecutiveBreaker(FAILURES_IN_A_ROW_MAX),
    halfOpenAfter: { next: () => pauseBy(clock) },
  });
  let downSinceMs: number | undefined;
  breaker.onBreak(() => {
    if (downSinceMs !== undefined) return;
    downSinceMs = clock.monotonicMs();
    log.warn('im_unreachable', { failuresInARow: FAILURES_IN_A_ROW_MAX });
  });
  breaker.onReset(() => {
    log.info('im_reachable_again', { downMs: clock.monotonicMs() - (downSinceMs ?? 0) });
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

const DOWN = 'it was out of reach a moment ago';

function unreachable(api: string, trouble: string): ImError {
  const message = `Tencent IM could not be asked for ${api}: ${trouble}.`;
  return new ImError({ message, kind: 'retry', about: 'network' });
}

function isUnreachable(error: unknown): boolean {
  return error instanceof ImError && error.about === 'network';
}

function replyOf({ answer, userSig }: { answer: unknown; userSig: string }): Reply | undefined {
  const json = typeof answer === 'string' ? jsonObjectOf(answer) : undefined;
  const errorCode = json?.ErrorCode;
  if (typeof errorCode !== 'number' || !Number.isInteger(errorCode)) return undefined;
  return {
    errorCode,
    errorInfo: loggable({ value: json?.ErrorInfo, userSig }),
    dropReason: loggable({ value: json?.MsgDropReason, userSig }),
  };
}

/** A text of theirs for the log: short, on one line, and without the userSig it may repeat. */
function loggable({ value, userSig }: { value: unknown; userSig: string }): string {
  if (typeof value !== 'string') return '';
  const clean = value.replaceAll(userSig, '[userSig]').replace(/\p{Cc}+/gu, ' ');
  return clean.slice(0, ERROR_INFO_LENGTH_MAX);
}

function refusalOf(api: string, { errorCode, errorInfo }: Reply): ImFailure {
  const message = `Tencent IM refused ${api} with ErrorCode ${errorCode}: ${errorInfo || 'no reason given'}.`;
  return { message, errorCode, ...verdictOf(errorCode) };
}

/** This way of telling the members will never work, though another one may. */
function isRefusalOfTheApi(error: unknown): error is ImError {
  return error instanceof ImError && error.kind === 'final' && error.about === 'request';
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

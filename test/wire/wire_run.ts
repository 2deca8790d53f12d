import { AssertionError, deepEqual } from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { CloudBehaviour, CloudCall, CloudMode } from '../fake_cloud.ts';
import { brokenRuleOf } from './every_answer.ts';
import { type Matching, type Mismatch, mismatchOf } from './matchers.ts';
import { filled, filledText, type Known } from './placeholders.ts';
import type {
  ImExpectation,
  JsonObject,
  Trouble,
  TroubleMode,
  WireCase,
  WireRequest,
  WireResponse,
} from './wire_case.ts';
import { type Answered, type Sent, WireHttp } from './wire_http.ts';
import { WIRE_CONFIG, type WireService } from './wire_service.ts';

/** Longer than changes of a room gather before its members are told. */
const NOTICE_MS = 250;
/** A notice is put off for no longer than this when IM fails. */
const IM_BACKOFF_MAX_MS = 8_000;
const RETRY_STEP_MS = 10;
const IM_WAIT_MS = 3_000;
const QUIET_MS = 15;
/** A passing trouble inside the IM cloud. */
const PASSING_ERROR_CODE = 10002;

/** One server, and what was captured on the way through its cases. */
export class WireRun {
  readonly #service: WireService;
  readonly #http: WireHttp;
  readonly #imDefault: ImExpectation;
  readonly #names = new Map<string, unknown>();
  /** IM calls that a case has accounted for. */
  #callsSeen = 0;

  constructor(parts: {
    readonly service: WireService;
    readonly base: string;
    readonly imDefault: ImExpectation | undefined;
  }) {
    this.#service = parts.service;
    this.#http = new WireHttp(parts.service.app.app.url);
    this.#imDefault = parts.imDefault ?? { $any: true };
    this.#names.set('base', parts.base);
  }

  async close(): Promise<void> {
    this.#http.close();
    await this.#service.close();
  }

  /** Plays one case; what is not as it should be fails with the case's id, expected and got. */
  async perform(wireCase: WireCase): Promise<void> {
    const { cloud, clock } = this.#service;
    this.#setClouds(wireCase);
    if (wireCase.advanceSeconds !== undefined) await clock.advance(wireCase.advanceSeconds * 1000);
    const { as: counter, count } = wireCase.repeat ?? { as: 'i', count: 1 };
    try {
      for (let i = 0; i < this.#countOf(count); i++) {
        this.#names.set(counter, i);
        await this.#exchange(wireCase);
      }
      await this.#checkIm(wireCase);
    } finally {
      this.#setClouds({});
      this.#callsSeen = cloud.calls.length;
    }
    const isStated = Array.isArray(wireCase.im);
    if (wireCase.imMode !== undefined && !isStated) await this.#recover();
  }

  /** Notices go out after the answer; what a case did not expect shows here at the latest. */
  async assertNothingElse(): Promise<void> {
    await this.#waitForQuiet();
    deepEqual(this.#callsSince().map(shownCall), []);
  }

  async #exchange(wireCase: WireCase): Promise<void> {
    if (wireCase.request === undefined) return;
    const sent = this.#sentOf(wireCase.request);
    const answered = await this.#http.send(sent);
    const response = wireCase.response ?? {};
    const fault =
      this.#faultOfStatus(response, answered) ??
      (response.text === undefined
        ? this.#faultOfJson(response, answered, sent)
        : this.#mismatch(response.text, answered.text, { at: 'text' })) ??
      faultOfTime(wireCase, answered);
    if (fault !== undefined) fail(wireCase, fault, { sent, answered });
  }

  #sentOf(request: WireRequest): Sent {
    const known = this.#known();
    const query = new URLSearchParams(filled(request.query ?? {}, known) as Record<string, string>);
    const user = filledText(request.as ?? '', known);
    const identity = user === '' ? '' : filledText(`userID=${user}&token=\${token_${user}}`, known);
    const parameters = [query.toString(), identity].filter((part) => part !== '').join('&');
    const path = filledText(request.path, known);
    const glue = path.includes('?') ? '&' : '?';
    const json = request.body && JSON.stringify(withoutAbsent(filled(request.body, known)));
    const type: Record<string, string> = json ? { 'content-type': 'application/json' } : {};
    return {
      method: request.method ?? 'POST',
      target: parameters === '' ? path : path + glue + parameters,
      headers: { ...type, ...(filled(request.headers ?? {}, known) as typeof type) },
      body: json ?? (request.rawBody && filledText(request.rawBody, known)),
    };
  }

  #faultOfStatus(expected: WireResponse, { status, headers }: Answered): Mismatch | undefined {
    return (
      this.#mismatch(expected.status ?? 200, status, { at: 'HTTP status' }) ??
      this.#mismatch(expected.headers ?? {}, headers, { at: 'headers' })
    );
  }

  #faultOfJson(expected: WireResponse, answered: Answered, sent: Sent): Mismatch | undefined {
    const json = jsonOf(answered.text);
    const contentType = answered.headers['content-type'] ?? '';
    const [path = ''] = sent.target.split('?');
    const action = path.replace(/\/$/, '').replace(/^.*\//, '');
    const broken = brokenRuleOf({ status: answered.status, contentType, json }, action);
    if (broken !== undefined)
      return { at: 'the rules for every answer', expected: 'all kept', got: broken };
    return this.#mismatch(expected.body ?? {}, json, {
      at: 'body',
      isExact: expected.exact ?? false,
    });
  }

  async #checkIm(wireCase: WireCase): Promise<void> {
    const expected = wireCase.im ?? wireCase.expectIm ?? this.#imDefault;
    if (!('length' in expected)) {
      if (changesRooms(wireCase)) await this.#waitForQuiet();
      return;
    }
    // A notice that nobody wants shows in a later case at the latest: see assertNothingElse.
    if (expected.length > 0) await this.#service.clock.advance(NOTICE_MS);
    const endsAtMs = performance.now() + IM_WAIT_MS;
    while (this.#callsSince().length < expected.length && performance.now() < endsAtMs) {
      await delay(1);
      await this.#service.clock.advance(RETRY_STEP_MS);
    }
    const got = this.#callsSince().map(shownCall);
    const fault = this.#mismatch(expected, got, { at: 'IM calls' });
    if (fault !== undefined) fail(wireCase, fault, {});
  }

  /** After trouble with IM, what was put off is tried again for a while. */
  async #recover(): Promise<void> {
    await this.#service.clock.advance(IM_BACKOFF_MAX_MS);
    await this.#waitForQuiet();
    this.#callsSeen = this.#service.cloud.calls.length;
  }

  async #waitForQuiet(): Promise<void> {
    const { calls } = this.#service.cloud;
    await this.#service.clock.advance(NOTICE_MS);
    for (let seen = -1; seen !== calls.length; ) {
      seen = calls.length;
      await delay(QUIET_MS);
    }
  }

  #setClouds(modes: Pick<WireCase, 'imMode' | 'wechatMode' | 'liveMode'>): void {
    const { cloud } = this.#service;
    cloud.imMode = cloudModeOf(modes.imMode);
    cloud.wechatMode = cloudModeOf(modes.wechatMode);
    cloud.liveMode = cloudModeOf(modes.liveMode);
  }

  #callsSince(): readonly CloudCall[] {
    return this.#service.cloud.calls
      .slice(this.#callsSeen)
      .filter(({ path }) => path.startsWith('/v4/'));
  }

  #mismatch(
    expected: unknown,
    got: unknown,
    { at, isExact = false }: { readonly at: string; readonly isExact?: boolean },
  ): Mismatch | undefined {
    const matching: Matching = {
      nowMs: this.#service.clock.nowMs(),
      isExact,
      fill: (template) => filled(template, this.#known()),
      capture: (name, value) => this.#names.set(name, value),
    };
    return mismatchOf(expected, got, matching, at);
  }

  #known(): Known {
    return { names: this.#names, nowMs: this.#service.clock.nowMs() };
  }

  /** `maxMembers-2`: of the room kind that the base names. */
  #countOf(count: number | string): number {
    if (typeof count === 'number') return count;
    const [, less] = /^maxMembers(-\d+)?$/.exec(count) ?? [];
    const base = String(this.#names.get('base'));
    const kind = base.slice(base.lastIndexOf('/') + 1);
    const { maxMembers } = isTyped(kind) ? WIRE_CONFIG[kind] : WIRE_CONFIG.room;
    return maxMembers + Number(less ?? 0);
  }
}

function isTyped(kind: string): kind is 'double_room' | 'multi_room' | 'live_room' {
  return ['double_room', 'multi_room', 'live_room'].includes(kind);
}

function cloudModeOf(mode: TroubleMode | undefined): CloudMode {
  if (mode === undefined) return 'ok';
  if (typeof mode !== 'object') return behaviourOf(mode);
  const behaviour = behaviourOf(mode.trouble);
  let left = mode.times;
  return () => (left-- > 0 ? behaviour : 'ok');
}

function behaviourOf(trouble: Trouble): CloudBehaviour {
  if (trouble === 'fail') return { errorCode: PASSING_ERROR_CODE };
  return typeof trouble === 'number' ? { errorCode: trouble } : trouble;
}

/** Whether notices may be on their way after this step although nobody says which. */
function changesRooms({ request, advanceSeconds }: WireCase): boolean {
  if (request === undefined) return advanceSeconds !== undefined;
  return /\/(create_room|destroy_room|add_pusher|delete_pusher)\b/.test(request.path);
}

function shownCall({ api, body }: CloudCall): JsonObject {
  return { api, ...body };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function withoutAbsent(value: unknown): unknown {
  const fields = Object.entries(value as JsonObject).filter(([, inner]) => !isAbsent(inner));
  return Object.fromEntries(fields);
}

function isAbsent(value: unknown): boolean {
  return typeof value === 'object' && value !== null && '$absent' in value;
}

function faultOfTime({ maxMs }: WireCase, { tookMs }: Answered): Mismatch | undefined {
  if (maxMs === undefined || tookMs <= maxMs) return undefined;
  return { at: 'time taken', expected: `at most ${maxMs} ms`, got: `${Math.round(tookMs)} ms` };
}

/** One failure that tells it all: which case, where, what was wanted, what came, what was asked. */
function fail(
  { id, title }: WireCase,
  { at, expected, got }: Mismatch,
  exchange: { readonly sent?: Sent; readonly answered?: Answered },
): never {
  const { sent, answered } = exchange;
  const lines = [
    `${id} ${title}: ${at} is not as expected`,
    `expected: ${JSON.stringify(expected)}`,
    `got:      ${JSON.stringify(got)}`,
    ...(sent ? [`asked:    ${sent.method} ${sent.target} ${sent.body?.slice(0, 500) ?? ''}`] : []),
    ...(answered ? [`answered: ${answered.status} ${answered.text.slice(0, 1_500)}`] : []),
  ];
  throw new AssertionError({ message: lines.join('\n'), expected, actual: got, operator: at });
}

import { createHmac } from 'node:crypto';
import { CloudHttp, CloudHttpError, type JsonObject } from './cloud_http.ts';
import type { Log } from './log.ts';
import type { Secret } from './secret.ts';

/** Codes are 32 characters today; longer ones are let through, nonsense is not. */
const CODE_PATTERN = /^[\x21-\x7e]{1,256}$/;
const OPEN_ID_PATTERN = /^[A-Za-z0-9_-]{6,128}$/;

const ERRCODE_BUSY = -1;

export interface WechatSettings {
  readonly appId: string;
  readonly appSecret: Secret;
  readonly host: string;
}

export interface WechatParts {
  readonly settings: WechatSettings;
  readonly log: Log;
  /** Total time of one question, a repeat included; 3 s unless told. */
  readonly callLimitMs?: number;
}

/** Connects to WeChat; nothing is sent before the first question. */
export function openWechat(parts: WechatParts): Wechat {
  return new Wechat(parts);
}

/** A public user id that is always the same for one openid and from which nobody learns the openid. */
export function userIDOfOpenID({ openID, key }: { openID: string; key: string }): string {
  const digest = createHmac('sha256', key).update(`openid:${openID}`).digest('hex');
  return `user_${digest.slice(0, 18)}`;
}

type Answer =
  | { readonly openID: string }
  | { readonly errcode: number }
  | { readonly trouble: string };

/** Asks WeChat who a mini-program user is. */
export class Wechat {
  readonly #settings: WechatSettings;
  readonly #log: Log;
  readonly #http: CloudHttp;

  constructor({ settings, log, callLimitMs }: WechatParts) {
    this.#settings = settings;
    this.#log = log;
    this.#http = new CloudHttp({ callLimitMs });
  }

  /** The openid behind a login code; undefined, and a line in the log, when there is none. */
  async fetchOpenID(code: string): Promise<string | undefined> {
    if (!CODE_PATTERN.test(code)) {
      this.#log.warn('wechat_login_refused', { hint: 'The client sent no usable code.' });
      return undefined;
    }
    const signal = this.#http.newLimit();
    const first = await this.#ask(code, signal);
    const isBusy = 'errcode' in first && first.errcode === ERRCODE_BUSY;
    const answer = isBusy ? await this.#ask(code, signal) : first;
    if ('openID' in answer) return answer.openID;
    this.#report(answer);
    return undefined;
  }

  /** Gives up connections; questions still under way fail. */
  async close(): Promise<void> {
    this.#http.close();
  }

  async #ask(code: string, signal: AbortSignal): Promise<Answer> {
    const { appId, appSecret, host } = this.#settings;
    const query = {
      appid: appId,
      secret: appSecret.reveal(),
      js_code: code,
      grant_type: 'authorization_code',
    };
    try {
      return answerOf(
        await this.#http.fetchJson({ host, path: '/sns/jscode2session', query, signal }),
      );
    } catch (error) {
      if (error instanceof CloudHttpError) return { trouble: error.message };
      throw error;
    }
  }

  #report(answer: Exclude<Answer, { openID: string }>): void {
    if ('trouble' in answer) {
      this.#log.warn('wechat_unreachable', answer);
      return;
    }
    const { errcode } = answer;
    this.#log.warn('wechat_login_refused', { errcode, hint: HINT_OF_ERRCODE.get(errcode) ?? '' });
  }
}

/** WeChat often leaves errcode out when all is well. */
function answerOf({ errcode = 0, openid: openID }: JsonObject): Answer {
  if (typeof errcode !== 'number') return { trouble: 'errcode is not a number' };
  if (errcode !== 0) return { errcode };
  if (typeof openID !== 'string' || !OPEN_ID_PATTERN.test(openID)) {
    return { trouble: 'the answer holds no openid' };
  }
  return { openID };
}

const HINT_OF_ERRCODE: ReadonlyMap<number, string> = new Map([
  [ERRCODE_BUSY, 'WeChat is busy.'],
  [40013, 'appId is not known to WeChat: check it.'],
  [40029, 'The code is not of this mini-program, or too old.'],
  [40125, 'appSecret is wrong: check it.'],
  [40163, 'The code has been used before.'],
  [40226, 'WeChat blocks this user as risky.'],
  [41002, 'appId is not set.'],
  [41004, 'appSecret is not set.'],
  [45011, 'This user logs in too often.'],
]);

import { createHash } from 'node:crypto';
import type { Clock } from './clock.ts';
import { CloudHttp, CloudHttpError } from './cloud_http.ts';
import { hintOf } from './im_codes.ts';
import { ImError, type ImGroups } from './im_mgr.ts';
import type { Log } from './log.ts';
import type { Secret } from './secret.ts';

const LIVE_SIGNATURE_LIFE_S = 300;

/** What the operator's page shows; a part that is fine, or not in use, is left out. */
export interface ConfigCheckReport {
  readonly result: '检查正确' | '检查失败';
  readonly live?: LiveFindings;
  readonly im?: ImFindings;
  /** Where to read on; present when something is wrong. */
  readonly doc?: string;
  /** The unsafe choices of the configuration. */
  readonly warnings: readonly string[];
}

/** The live API does not say which of the two is wrong. */
export interface LiveFindings {
  readonly appID: string;
  readonly APIKey: string;
}

export interface ImFindings {
  readonly sdkAppID?: string;
  readonly administrator?: string;
  readonly privateKey?: string;
  /** What no single key is to blame for. */
  readonly other?: string;
  /** A test group was left behind. */
  readonly group?: string;
}

export interface LiveCheckSettings {
  /** 0 = the live API is not in use. */
  readonly appID: number;
  /** Empty = the live API is not in use. */
  readonly APIKey: Secret;
  readonly apiHost: string;
}

interface Parts {
  readonly im: ImGroups;
  readonly imDriver: ImGroups['driver'];
  readonly live: LiveCheckSettings;
  readonly warnings: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  readonly randomHex: (bytes: number) => string;
  /** Total time of the call to the live API; 3 s unless told. */
  readonly callLimitMs?: number;
}

/** Tries the configured IM and live accounts on the clouds themselves. */
export class ConfigCheck {
  readonly #parts: Parts;
  readonly #http: CloudHttp;
  #running: Promise<ConfigCheckReport> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#http = new CloudHttp({ callLimitMs: parts.callLimitMs });
  }

  /** What is wrong, in words for the operator; whoever asks meanwhile gets the same report. */
  run(): Promise<ConfigCheckReport> {
    this.#running ??= this.#check().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Resolves when the check in hand is over, so that no test group stays behind. */
  async close(): Promise<void> {
    this.#http.close();
    await this.#running?.catch(() => undefined);
  }

  async #check(): Promise<ConfigCheckReport> {
    const { warnings } = this.#parts;
    const [live, im] = await Promise.all([this.#checkLive(), this.#checkIm()]);
    if (live === undefined && im === undefined) return { result: '检查正确', warnings };
    return { ...(live && { live }), ...(im && { im }), result: '检查失败', doc: DOC, warnings };
  }

  /** Asks after a stream that does not exist: any readable answer means that we are known there. */
  async #checkLive(): Promise<LiveFindings | undefined> {
    const { appID, APIKey, apiHost: host } = this.#parts.live;
    if (appID === 0 || APIKey.isEmpty) return undefined;
    const request = { host, path: '/common_access', query: this.#liveQuery() };
    try {
      await this.#http.fetchJson({ ...request, signal: this.#http.newLimit() });
      return undefined;
    } catch (error) {
      if (!(error instanceof CloudHttpError)) throw error;
      this.#parts.log.error('live_check_failed', error);
      return LIVE_FINDINGS;
    }
  }

  #liveQuery(): Readonly<Record<string, string>> {
    const { live, clock, randomHex } = this.#parts;
    const t = String(Math.floor(clock.nowMs() / 1000) + LIVE_SIGNATURE_LIFE_S);
    return {
      appid: String(live.appID),
      interface: 'Live_Channel_GetStatus',
      'Param.s.channel_id': `check_${randomHex(8)}`,
      t,
      sign: createHash('md5')
        .update(live.APIKey.reveal() + t)
        .digest('hex'),
    };
  }

  async #checkIm(): Promise<ImFindings | undefined> {
    if (this.#parts.imDriver === 'local') return undefined;
    const groupID = `check_${this.#parts.randomHex(8)}`;
    const made = await this.#makeGroup(groupID);
    const left = made.mayExist ? await this.#dropGroup(groupID) : undefined;
    return made.findings || left ? { ...made.findings, ...left } : undefined;
  }

  async #makeGroup(
    groupID: string,
  ): Promise<{ readonly mayExist: boolean; readonly findings?: ImFindings }> {
    try {
      // An id that is taken says as well that IM accepts us, but that group is not ours to destroy.
      return { mayExist: (await this.#parts.im.createGroup(groupID)) === 'created' };
    } catch (error) {
      this.#parts.log.error('im_check_failed', error, { groupID });
      const mayExist = !(error instanceof ImError) || error.mayBeDone;
      return { mayExist, findings: imFindingsOf(error) };
    }
  }

  async #dropGroup(groupID: string): Promise<ImFindings | undefined> {
    try {
      await this.#parts.im.destroyGroup(groupID);
      return undefined;
    } catch (error) {
      this.#parts.log.error('im_check_group_not_destroyed', error, { groupID });
      return { group: `The test group ${groupID} may be left: destroy it in the IM console.` };
    }
  }
}

/** Our words, never those of an exception: they may hold what must not be shown. */
function imFindingsOf(error: unknown): ImFindings {
  if (!(error instanceof ImError)) return { other: 'No test group was made: see the error log.' };
  const { errorCode } = error;
  if (errorCode === undefined) return { other: 'Tencent IM gave no answer: check im.host.' };
  const other = `Tencent IM refuses a test group with ErrorCode ${errorCode}. ${hintOf(errorCode)}`;
  return FINDINGS_OF_CODE.get(errorCode) ?? { other };
}

// The words are those of the first generation: its operators search for them.

const LIVE_FINDINGS: LiveFindings = {
  appID: '请检查 server/config.js 文件 live.appID的填写是否正确',
  APIKey: '请检查 server/config.js 文件 live.APIKey的填写是否正确',
};

const FINDINGS_OF_CODE: ReadonlyMap<number, ImFindings> = new Map([
  [70020, { sdkAppID: '请检查，server/config.js im.sdkAppID的填写是否正确' }],
  [60010, { administrator: '请检查, server/config.js im.administrator的填写是否正确' }],
  [
    70009,
    {
      privateKey:
        '请检查, server/config.js im.privateKey的填写是否正确, private_key 文件名以及位置放置正确',
    },
  ],
]);

const DOC = 'Every key is explained in docs/configuration.md; the causes are in the error log.';

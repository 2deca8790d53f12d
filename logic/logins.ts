import type { Sessions } from './auth.ts';
import { ApiError } from './errors.ts';
import { FORBIDDEN_IDS, USER_ID_PATTERN } from './model.ts';
import type { UserSigs } from './user_sig.ts';

export interface LoginSettings {
  readonly sdkAppID: number;
  /** '' when the app has none: then any is accepted, and clients are told '0'. */
  readonly accountType: string;
  readonly sigLifeMs: number;
  /** `open`: anyone gets a userSig for any user. `token`: WeChat must say who it is. */
  readonly mode: 'open' | 'token';
}

/** What a client needs for logging in to IM, and then here. */
export interface LoginInfo {
  readonly userID: string;
  readonly sdkAppID: number;
  readonly accType: string;
  readonly accountType: string;
  readonly userSig: string;
}

interface Parts {
  readonly settings: LoginSettings;
  readonly sigs: UserSigs;
  readonly sessions: Sessions;
  /** The public userID behind a WeChat code, undefined when WeChat does not vouch for it. */
  readonly userIDOfCode: (code: string) => Promise<string | undefined>;
  readonly newUserID: () => string;
}

/** Hands out userSigs, and exchanges them for sessions. */
export class Logins {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Whether anyone may log in as anybody: for trying things out only. */
  get isOpen(): boolean {
    return this.#parts.settings.mode === 'open';
  }

  /** A userSig for whom WeChat vouches; where anyone may try things out, for anybody else too. */
  async mint(request: {
    readonly userID: string;
    readonly code: string;
    /** The userSig lives no longer than this, nor than configured. */
    readonly lifeMaxMs?: number;
  }): Promise<LoginInfo> {
    const { settings, userIDOfCode, newUserID } = this.#parts;
    const vouched = request.code === '' ? undefined : await userIDOfCode(request.code);
    if (settings.mode === 'token') {
      if (vouched === undefined)
        throw new ApiError('login_refused', 'A userSig needs a WeChat code that WeChat accepts.');
      return this.infoOf(vouched, request.lifeMaxMs);
    }
    return this.infoOf(request.userID || vouched || newUserID(), request.lifeMaxMs);
  }

  /** Signs for one user; never for the administrator, who could do everything. */
  infoOf(userID: string, lifeMaxMs = Number.POSITIVE_INFINITY): LoginInfo {
    const { settings, sigs } = this.#parts;
    if (sigs.isAdministrator(userID) || FORBIDDEN_IDS.has(userID))
      throw new ApiError('user_id_refused', `No userSig is made for ${userID}.`);
    const { sdkAppID, sigLifeMs } = settings;
    const accType = settings.accountType || '0';
    const userSig = sigs.sign({ userID, expireMs: Math.min(sigLifeMs, lifeMaxMs) });
    return { userID, sdkAppID, accType, accountType: accType, userSig };
  }

  /** Starts a session for whoever brings a genuine userSig of this app, and answers its token. */
  async login(claim: {
    readonly sdkAppID: string;
    readonly accountType: string;
    readonly userID: string;
    readonly userSig: string;
  }): Promise<string> {
    const { settings, sigs, sessions } = this.#parts;
    const { userID, userSig } = claim;
    if (claim.sdkAppID !== String(settings.sdkAppID)) throw refused('another sdkAppID');
    if (settings.accountType !== '' && claim.accountType !== settings.accountType)
      throw refused('another accountType');
    if (!USER_ID_PATTERN.test(userID) || FORBIDDEN_IDS.has(userID) || sigs.isAdministrator(userID))
      throw refused('a userID that may not log in');
    const verdict = await sigs.verify({ userSig, userID });
    if (!verdict.ok) throw refused(verdict.reason);
    // Otherwise whoever once held a token could log in again by the rooms it let him enter.
    if (verdict.isRoomTicket) throw refused('it is a privateMapKey');
    return sessions.open(userID);
  }
}

function refused(why: string): ApiError {
  return new ApiError('login_refused', `The userSig is refused: ${why}.`);
}

import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from './clock.ts';
import { ApiError } from './errors.ts';
import type { Log } from './log.ts';
import { Loop } from './loop.ts';
import type { TokenStore } from './store/store.ts';

const TOKENS_CACHED = 200_000;
/** Clients append tokens to a query unescaped, so these characters are all a token may hold. */
const TOKEN_PATTERN = /^[A-Za-z0-9*._~=-]{20,128}$/;
/** A token's end moves only when this share of its life is used up, which keeps writes rare. */
const EXTENDED_AFTER_SHARE = 0.1;
const EXTEND_EVERY_MS = 2_000;

interface Session {
  readonly userID: string;
  expiresAtMs: number;
}

/**
 * Who is logged in. A token is random, is kept only as a hash, survives a restart, lives as long
 * as it is used at least once per `lifeMs`, and is one of several its user may have.
 */
export class Sessions implements AsyncDisposable {
  readonly #store: TokenStore;
  readonly #clock: Clock;
  readonly #lifeMs: number;
  readonly #perUserMax: number;
  readonly #newToken: () => string;
  readonly #cache = new LRUCache<string, Session>({ max: TOKENS_CACHED });
  readonly #extended = new Map<string, number>();
  readonly #loop: Loop;

  constructor(parts: {
    readonly store: TokenStore;
    readonly clock: Clock;
    readonly log: Log;
    readonly lifeMs: number;
    readonly perUserMax: number;
    /** At least 128 bits from a CSPRNG, in characters that need no escaping. */
    readonly newToken: () => string;
  }) {
    this.#store = parts.store;
    this.#clock = parts.clock;
    this.#lifeMs = parts.lifeMs;
    this.#perUserMax = parts.perUserMax;
    this.#newToken = parts.newToken;
    const turn = async () => {
      await this.#writeExtended();
      return EXTEND_EVERY_MS;
    };
    this.#loop = new Loop({ name: 'sessions', turn, clock: parts.clock, log: parts.log });
  }

  /** Starts a session and answers its token. */
  async open(userID: string): Promise<string> {
    const token = this.#newToken();
    const expiresAtMs = this.#clock.nowMs() + this.#lifeMs;
    const perUserMax = this.#perUserMax;
    await this.#store.insertToken({ hash: hashOf(token), userID, expiresAtMs, perUserMax });
    return token;
  }

  /** Passes when the token is this user's and alive; a refusal says which of the two is wrong. */
  async check(claim: { readonly userID: string; readonly token: string }): Promise<void> {
    const { userID, token } = claim;
    if (!TOKEN_PATTERN.test(token))
      throw new ApiError('token_malformed', 'The token is not one of ours.');
    const session = this.#cache.get(token) ?? (await this.#fetch(token));
    const nowMs = this.#clock.nowMs();
    if (session === undefined || session.expiresAtMs <= nowMs)
      throw new ApiError('token_unknown', 'The token has ended or never was.');
    if (session.userID !== userID)
      throw new ApiError('token_mismatch', `The token is not that of ${userID}.`);
    this.#extend(token, session, nowMs);
  }

  /** Writes what is still to be written. */
  async close(): Promise<void> {
    await this.#loop.close();
    await this.#writeExtended();
  }

  /** Ends the session of one token; others of the same user go on. */
  async revoke(token: string): Promise<void> {
    const hash = hashOf(token);
    this.#cache.delete(token);
    this.#extended.delete(hash);
    await this.#store.deleteToken(hash);
    this.#cache.delete(token);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #fetch(token: string): Promise<Session | undefined> {
    const found = await this.#store.readToken(hashOf(token));
    if (found !== undefined) this.#cache.set(token, found);
    return found;
  }

  #extend(token: string, session: Session, nowMs: number): void {
    const expiresAtMs = nowMs + this.#lifeMs;
    if (expiresAtMs - session.expiresAtMs < this.#lifeMs * EXTENDED_AFTER_SHARE) return;
    session.expiresAtMs = expiresAtMs;
    this.#extended.set(hashOf(token), expiresAtMs);
  }

  async #writeExtended(): Promise<void> {
    if (this.#extended.size === 0) return;
    const tokens = [...this.#extended].map(([hash, expiresAtMs]) => ({ hash, expiresAtMs }));
    this.#extended.clear();
    await this.#store.extendTokens(tokens);
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}

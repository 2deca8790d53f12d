import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from './clock.ts';
import { ApiError } from './errors.ts';
import type { Log } from './log.ts';
import { Loop } from './loop.ts';
import type { TokenStore } from './store/store.ts';

const TOKENS_CACHED = 200_000;
/** Clients append tokens to a query unescaped, so these characters are all a token may hold. */
const TOKEN_PATTERN = /^[A-Za-z0-9*._~=-]{20,128}$/;
/** The store hears of a new end only when this share of the life is gained, which keeps writes rare. */
const WRITTEN_AFTER_SHARE = 0.1;
const WRITE_EVERY_MS = 2_000;

interface Session {
  readonly userID: string;
  expiresAtMs: number;
  /** The end that the store knows, or is about to. */
  writtenAtMs: number;
}

/**
 * Who is logged in. A token is random, is kept only as a hash, survives a restart (which may cost
 * it a tenth of its life), lives as long as it is used at least once per `lifeMs`, and is one of
 * several its user may have.
 */
export class Sessions implements AsyncDisposable {
  readonly #store: TokenStore;
  readonly #clock: Clock;
  readonly #lifeMs: number;
  readonly #perUserMax: number;
  readonly #newToken: () => string;
  /**
   * By hash, so that whatever leaves the store can leave here too. It is bounded by `maxSize`
   * because `max` allocates all of it at once, which takes a start longer than all the rest.
   */
  readonly #cache = new LRUCache<string, Session>({
    maxSize: TOKENS_CACHED,
    sizeCalculation: () => 1,
  });
  readonly #unwritten = new Map<string, number>();
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
      await this.#write();
      return WRITE_EVERY_MS;
    };
    this.#loop = new Loop({ name: 'sessions', turn, clock: parts.clock, log: parts.log });
  }

  /** Starts a session and answers its token; a user who has too many loses the one that ends first. */
  async open(userID: string): Promise<string> {
    const token = this.#newToken();
    const expiresAtMs = this.#clock.nowMs() + this.#lifeMs;
    const perUserMax = this.#perUserMax;
    const request = { hash: hashOf(token), userID, expiresAtMs, perUserMax };
    for (const lost of await this.#store.insertToken(request)) this.#cache.delete(lost);
    return token;
  }

  /** Passes when the token is this user's and alive; a refusal says which of the two is wrong. */
  async check(claim: { readonly userID: string; readonly token: string }): Promise<void> {
    const { userID, token } = claim;
    if (!TOKEN_PATTERN.test(token))
      throw new ApiError('token_malformed', 'The token is not one of ours.');
    const tokenHash = hashOf(token);
    const session = this.#cache.get(tokenHash) ?? (await this.#fetch(tokenHash));
    const nowMs = this.#clock.nowMs();
    if (session === undefined || session.expiresAtMs <= nowMs)
      throw new ApiError('token_unknown', 'The token has ended or never was.');
    if (session.userID !== userID)
      throw new ApiError('token_mismatch', `The token is not that of ${userID}.`);
    this.#extend(tokenHash, session, nowMs);
  }

  /** Writes what is still to be written. */
  async close(): Promise<void> {
    await this.#loop.close();
    await this.#write();
  }

  /** Ends the session of one token; others of the same user go on. */
  async revoke(token: string): Promise<void> {
    const tokenHash = hashOf(token);
    await this.#store.deleteToken(tokenHash);
    // Only now, because a check that came before the deletion may have filled it again.
    this.#cache.delete(tokenHash);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #fetch(tokenHash: string): Promise<Session | undefined> {
    const found = await this.#store.readToken(tokenHash);
    if (found === undefined) return undefined;
    const session = { ...found, writtenAtMs: found.expiresAtMs };
    this.#cache.set(tokenHash, session);
    return session;
  }

  #extend(tokenHash: string, session: Session, nowMs: number): void {
    session.expiresAtMs = nowMs + this.#lifeMs;
    if (session.expiresAtMs - session.writtenAtMs < this.#lifeMs * WRITTEN_AFTER_SHARE) return;
    session.writtenAtMs = session.expiresAtMs;
    this.#unwritten.set(tokenHash, session.expiresAtMs);
  }

  async #write(): Promise<void> {
    if (this.#unwritten.size === 0) return;
    const tokens = [...this.#unwritten].map(([tokenHash, expiresAtMs]) => {
      return { hash: tokenHash, expiresAtMs };
    });
    this.#unwritten.clear();
    await this.#store.extendTokens(tokens);
  }
}

function hashOf(token: string): string {
  return hash('sha256', token, 'base64url');
}

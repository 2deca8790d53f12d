import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { LRUCache } from 'lru-cache';
import type { Clock } from './clock.ts';
import type { Secret } from './secret.ts';

/** Where streams are pushed to and played from, and the keys that sign their URLs. */
export interface LiveSettings {
  /** 0 = stream names carry no prefix and URLs no bizid parameter. */
  readonly bizid: number;
  /** Empty = push and accelerate URLs are not signed. */
  readonly pushSecretKey: Secret;
  /** Empty = play URLs are not signed. */
  readonly playKey: Secret;
  readonly validTimeMs: number;
  /** Hosts may carry a port. */
  readonly pushHost: string;
  readonly playHost: string;
  readonly playScheme: 'http' | 'https';
  /** Where RTMP is played; the play host, unless that one speaks HTTP only. */
  readonly accelerateHost: string;
}

/** A push URL taken apart. */
export interface PushStream {
  /** The whole stream name, prefix included. */
  readonly streamID: string;
  /** The name has our prefix; without a bizid every name counts as ours. */
  readonly isOurs: boolean;
  /** The URL without its query, where the signature is. */
  readonly bareURL: string;
}

/** One stream as the debug page shows it. */
export interface TestURLs {
  readonly url_push: string;
  readonly url_play_flv: string;
  readonly url_play_rtmp: string;
  readonly url_play_hls: string;
  readonly url_play_acc: string;
}

const HOUR_MS = 3_600_000;
/** An accelerate URL with less than this left is signed anew. */
const RENEWAL_MARGIN_MAX_MS = 24 * HOUR_MS;
const URLS_KEPT_MAX = 10_000;
const URL_LENGTH_MAX = 1_024;
/** With bizid, hash and random part a name stays below the 64 characters every cloud takes. */
const NAME_STEM_MAX = 36;

/** Scheme, host without user info, any path, and a name that no client or URL cuts differently. */
const PUSH_URL =
  /^((?:rtmps?|webrtc):\/\/[^/?#\\@]+\/(?:[^?#\\]*\/)?([A-Za-z0-9_-]{1,128}))(?:\?.*)?$/i;

/** Makes signed push and play URLs, and reads the push URLs that clients send back. */
export class LiveUtil {
  readonly #settings: LiveSettings;
  readonly #clock: Clock;
  readonly #randomHex: (bytes: number) => string;
  readonly #prefix: string;
  readonly #accelerateURLs = new LRUCache<string, string>({ max: URLS_KEPT_MAX });

  constructor(parts: {
    settings: LiveSettings;
    clock: Clock;
    randomHex: (bytes: number) => string;
  }) {
    const { settings } = parts;
    assert(settings.validTimeMs > 0, `validTimeMs must be above 0, got ${settings.validTimeMs}.`);
    this.#settings = {
      ...settings,
      pushHost: authorityOf(settings.pushHost),
      playHost: authorityOf(settings.playHost),
      accelerateHost: authorityOf(settings.accelerateHost),
    };
    this.#clock = parts.clock;
    this.#randomHex = parts.randomHex;
    this.#prefix = settings.bizid === 0 ? '' : `${settings.bizid}_`;
  }

  /** Named for the user, with a random end: a second device does not push into the first's stream. */
  newPushURL({ userID }: { userID: string }): string {
    return this.#pushURLOf(this.#newStreamID(userID));
  }

  /** What a push URL names; undefined when it is none, or its stream name would break play URLs. */
  readPushURL(url: string): PushStream | undefined {
    if (url.length > URL_LENGTH_MAX || /[\p{Cc}\p{Cs}\s]/u.test(url)) return undefined;
    const [, bareURL, streamID] = PUSH_URL.exec(url) ?? [];
    if (bareURL === undefined || streamID === undefined) return undefined;
    const isOurs = streamID.startsWith(this.#prefix) && streamID.length > this.#prefix.length;
    return { streamID, isOurs, bareURL };
  }

  /**
   * The low-latency play URL of a stream, '' of ''. It is signed as of `signedAtMs`; once that
   * signature nears its end, as of the coming full hour, so that the answers of an hour are alike.
   */
  accelerateURL({ streamID, signedAtMs }: { streamID: string; signedAtMs: number }): string {
    if (streamID === '') return '';
    const txTime = this.#txTimeAt(this.#isWorn(signedAtMs) ? this.#comingHourMs() : signedAtMs);
    // Room lists ask for the same few again and again.
    const cacheKey = `${txTime} ${streamID}`;
    const known = this.#accelerateURLs.get(cacheKey);
    if (known !== undefined) return known;
    const query = this.#pushQuery({ streamID, txTime });
    const url = `rtmp://${this.#settings.accelerateHost}/live/${streamID}${query}`;
    this.#accelerateURLs.set(cacheKey, url);
    return url;
  }

  /** The HTTP-FLV URL of a stream, '' of ''; with a play key it stays the same within an hour. */
  mixedPlayURL(streamID: string): string {
    if (streamID === '') return '';
    const { playScheme, playHost } = this.#settings;
    return `${playScheme}://${playHost}/live/${streamID}.flv${this.#playQuery(streamID)}`;
  }

  /** All five name one and the same new stream. */
  testURLs(): TestURLs {
    const { playHost, accelerateHost } = this.#settings;
    const streamID = this.#newStreamID(`user_${this.#randomHex(4)}`);
    const query = this.#playQuery(streamID);
    return {
      url_push: this.#pushURLOf(streamID),
      url_play_flv: `http://${playHost}/live/${streamID}.flv${query}`,
      url_play_rtmp: `rtmp://${accelerateHost}/live/${streamID}${query}`,
      url_play_hls: `http://${playHost}/live/${streamID}.m3u8${query}`,
      url_play_acc: this.accelerateURL({ streamID, signedAtMs: this.#clock.nowMs() }),
    };
  }

  /** The accelerate URL of the one stream that shows a running clock. */
  testAccelerateURL(): string {
    const streamID = `${this.#prefix}testclock_rtmpacc`;
    return this.accelerateURL({ streamID, signedAtMs: this.#clock.nowMs() });
  }

  /** Whether a stream carries the name that `newPushURL` makes for this user. */
  isStreamOf(userID: string, streamID: string): boolean {
    const stem = `${this.#prefix}${nameOf(userID)}_`;
    // The random end tells ann's own streams from those of a user ann_2.
    return streamID.startsWith(stem) && /^[0-9a-f]{4}$/.test(streamID.slice(stem.length));
  }

  #newStreamID(userID: string): string {
    return `${this.#prefix}${nameOf(userID)}_${this.#randomHex(2)}`;
  }

  #pushURLOf(streamID: string): string {
    const query = this.#pushQuery({ streamID, txTime: this.#txTimeAt(this.#clock.nowMs()) });
    return `rtmp://${this.#settings.pushHost}/live/${streamID}${query}`;
  }

  /** Accelerate URLs carry the push signature too: it is how the old link-mic pull was admitted. */
  #pushQuery({ streamID, txTime }: { streamID: string; txTime: string }): string {
    const { bizid, pushSecretKey } = this.#settings;
    const parameters = bizid === 0 ? [] : [`bizid=${bizid}`];
    if (!pushSecretKey.isEmpty) {
      const txSecret = txSecretOf({ key: pushSecretKey, streamID, txTime });
      parameters.push(`txSecret=${txSecret}`, `txTime=${txTime}`);
    }
    return parameters.length === 0 ? '' : `?${parameters.join('&')}`;
  }

  #playQuery(streamID: string): string {
    const { playKey } = this.#settings;
    if (playKey.isEmpty) return '';
    // A player restarts when its URL changes, so a list polled every few seconds must not change it.
    const txTime = this.#txTimeAt(this.#comingHourMs());
    return `?txSecret=${txSecretOf({ key: playKey, streamID, txTime })}&txTime=${txTime}`;
  }

  #txTimeAt(signedAtMs: number): string {
    return txTimeOf({ signedAtMs, validTimeMs: this.#settings.validTimeMs });
  }

  #isWorn(signedAtMs: number): boolean {
    const leftMs = signedAtMs + this.#settings.validTimeMs - this.#clock.nowMs();
    return leftMs < this.#renewalMarginMs();
  }

  /** Never in the past, so what is signed as of it lives no shorter than configured. */
  #comingHourMs(): number {
    const stepMs = Math.min(HOUR_MS, this.#renewalMarginMs());
    return Math.ceil(this.#clock.nowMs() / stepMs) * stepMs;
  }

  /** Half the life where that is less than two days: a new signature must not be worn at once. */
  #renewalMarginMs(): number {
    return Math.min(RENEWAL_MARGIN_MAX_MS, this.#settings.validTimeMs / 2);
  }
}

/**
 * When a signature ends: whole Unix seconds in upper-case hex, as Tencent's page on the
 * authentication of push URLs writes it (cloud.tencent.com/document/product/267/31560).
 */
export function txTimeOf(life: { signedAtMs: number; validTimeMs: number }): string {
  return Math.floor((life.signedAtMs + life.validTimeMs) / 1000)
    .toString(16)
    .toUpperCase();
}

/**
 * The signature: lower-case hex md5 of key, stream name and txTime, in this order and with nothing
 * between them; host, path and file extension are not covered (same page as txTime).
 */
export function txSecretOf(signed: { key: Secret; streamID: string; txTime: string }): string {
  return createHash('md5')
    .update(signed.key.reveal() + signed.streamID + signed.txTime)
    .digest('hex');
}

/** A bare IPv6 address needs brackets in a URL; whatever has them, a name or a port stays as it is. */
function authorityOf(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

/** The user's part of a stream name; ids that have to be bent stay distinct through their hash. */
function nameOf(userID: string): string {
  const stem = userID.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, NAME_STEM_MAX);
  if (stem === userID) return userID;
  const hash = createHash('sha256').update(userID).digest('hex').slice(0, 8);
  return `${stem}_${hash}`;
}

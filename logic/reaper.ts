import type { Clock } from './clock.ts';
import { SYSTEM } from './events.ts';
import type { Heartbeats, SilentRoom } from './heartbeats.ts';
import type { Log } from './log.ts';
import { Loop } from './loop.ts';
import { ROOM_KINDS, type RoomKind, type RoomRules } from './model.ts';
import { endRule, idleRule, type Rule, reapRule } from './room_rules.ts';
import type { LifeRef, RoomStore } from './store/store.ts';
import { Wakefulness } from './wakefulness.ts';

const ROOMS_AT_ONCE = 32;
const IDLE_ROOMS_PER_SWEEP = 1_000;
/** Rooms whose members send no heartbeats end at this age. */
const UNHEARD_ROOM_LIFE_MS = 86_400_000;
const BRAKE_SHARE = 0.5;
const BRAKE_SIZE_MIN = 100;

/**
 * Removes who fell silent and rooms nobody entered. It judges only time it was awake for, and a
 * sweep that would remove an abnormal share of everybody waits one more time-out first: so many
 * do not leave at once, something between them and us broke.
 */
export class Reaper implements AsyncDisposable {
  readonly #store: RoomStore;
  readonly #heartbeats: Heartbeats;
  readonly #rules: Readonly<Record<RoomKind, RoomRules>>;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #wakefulness: Wakefulness;
  readonly #loop: Loop;
  #brakedAtMs: number | undefined;

  constructor(parts: {
    readonly store: RoomStore;
    readonly heartbeats: Heartbeats;
    readonly rules: Readonly<Record<RoomKind, RoomRules>>;
    readonly sweepIntervalMs: number;
    readonly clock: Clock;
    readonly log: Log;
  }) {
    this.#store = parts.store;
    this.#heartbeats = parts.heartbeats;
    this.#rules = parts.rules;
    this.#clock = parts.clock;
    this.#log = parts.log;
    const timeoutMs = Math.min(...ROOM_KINDS.map((kind) => parts.rules[kind].heartBeatTimeoutMs));
    const onGap = () => parts.heartbeats.forgive();
    this.#wakefulness = new Wakefulness({ ...parts, timeoutMs, onGap });
    this.#loop = new Loop({
      name: 'reaper',
      clock: parts.clock,
      log: parts.log,
      turn: async () => {
        await this.sweep();
        return parts.sweepIntervalMs;
      },
    });
  }

  /** One round: the silent, the rooms nobody entered, the ids whose maker died. */
  async sweep(): Promise<void> {
    this.#wakefulness.check();
    await this.#reapSilent();
    for (const kind of ROOM_KINDS) await this.#destroyIdle(kind);
    await this.#destroyExpired();
    await this.#dropStaleReservations();
  }

  async close(): Promise<void> {
    await this.#wakefulness.close();
    await this.#loop.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #reapSilent(): Promise<void> {
    const silent = this.#heartbeats.silent();
    if (silent.length === 0) {
      this.#brakedAtMs = undefined;
      return;
    }
    if (this.#brakes(silent)) return;
    for (let index = 0; index < silent.length; index += ROOMS_AT_ONCE) {
      this.#wakefulness.check();
      const batch = silent.slice(index, index + ROOMS_AT_ONCE);
      await Promise.all(batch.map((room) => this.#reapRoom(room)));
    }
  }

  /** Whether so many are silent that the fault is probably not theirs; waits once, then believes. */
  #brakes(silent: readonly SilentRoom[]): boolean {
    const { size } = this.#heartbeats;
    const silentSize = silent.reduce((sum, { userIDs }) => sum + userIDs.length, 0);
    if (size < BRAKE_SIZE_MIN || silentSize <= size * BRAKE_SHARE) {
      this.#brakedAtMs = undefined;
      return false;
    }
    const nowMs = this.#clock.monotonicMs();
    if (this.#brakedAtMs === undefined) {
      this.#brakedAtMs = nowMs;
      const why = new Error(`${silentSize} of ${size} pushers fell silent together.`);
      this.#log.error('mass_removal_braked', why, { silent: silentSize, pushers: size });
    }
    const kinds = new Set(silent.map(({ kind }) => kind));
    const waitMs = Math.max(...[...kinds].map((kind) => this.#rules[kind].heartBeatTimeoutMs));
    return nowMs - this.#brakedAtMs < waitMs;
  }

  async #reapRoom({ kind, roomID, epoch, userIDs }: SilentRoom): Promise<void> {
    const isSilent = (userID: string) => this.#heartbeats.isSilent({ kind, roomID, epoch, userID });
    const left = await this.#store.changeRoom({
      ref: { kind, roomID },
      epoch,
      actor: SYSTEM,
      nowMs: this.#clock.nowMs(),
      rule: reapRule({ userIDs, isStillSilent: isSilent }),
    });
    if (left.length > 0) this.#log.info('pushers_reaped', { kind, roomID, epoch, userIDs: left });
    // Who is silent and was not in the store either is known to this table alone.
    for (const userID of userIDs)
      if (!left.includes(userID) && isSilent(userID))
        this.#heartbeats.forget({ kind, roomID, epoch, userID });
  }

  async #destroyIdle(kind: RoomKind): Promise<void> {
    const { maxIdleMs } = this.#rules[kind];
    if (this.#heartbeats.awakeForMs < maxIdleMs) return;
    const nowMs = this.#clock.nowMs();
    const createdBeforeMs = nowMs - maxIdleMs;
    const limit = IDLE_ROOMS_PER_SWEEP;
    const idle = await this.#store.readIdleRooms({ kind, createdBeforeMs, limit });
    await this.#end(idle, idleRule);
  }

  /** Nobody is heard of there, so what keeps crashed rooms from staying for ever is their age. */
  async #destroyExpired(): Promise<void> {
    const createdBeforeMs = this.#clock.nowMs() - UNHEARD_ROOM_LIFE_MS;
    const limit = IDLE_ROOMS_PER_SWEEP;
    const expired = await this.#store.readExpiredRooms({ createdBeforeMs, limit });
    await this.#end(expired, endRule({ reason: 'room_expired', isAllowed: () => true }));
  }

  async #end(lives: readonly LifeRef[], rule: Rule<boolean>): Promise<void> {
    for (let index = 0; index < lives.length; index += ROOMS_AT_ONCE) {
      const batch = lives.slice(index, index + ROOMS_AT_ONCE);
      await Promise.all(batch.map((life) => this.#endRoom(life, rule)));
    }
  }

  async #endRoom({ kind, roomID, epoch }: LifeRef, rule: Rule<boolean>): Promise<void> {
    const ref = { kind, roomID };
    const nowMs = this.#clock.nowMs();
    const gone = await this.#store.changeRoom({ ref, epoch, actor: SYSTEM, nowMs, rule });
    if (gone) this.#log.info('room_ended', { kind, roomID, epoch });
  }

  async #dropStaleReservations(): Promise<void> {
    const nowMs = this.#clock.nowMs();
    const limit = IDLE_ROOMS_PER_SWEEP;
    for (const epoch of await this.#store.readStaleReservations({ nowMs, limit })) {
      await this.#store.dropReservation({ epoch, groupMayExist: true, nowMs });
      this.#log.warn('stale_reservation_dropped', { epoch });
    }
  }
}

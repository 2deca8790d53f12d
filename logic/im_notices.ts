import { ImError, type ImGroups } from './im_mgr.ts';
import type { Log } from './log.ts';
import { spaceOf } from './model.ts';
import type { DeliverySink } from './outbox.ts';
import type { Delivery } from './store/store.ts';

/** Changes of one room within this time make one notice. */
const GATHER_MS = 200;

/**
 * Keeps a room's IM group in step with the room log: its members hear that the pushers changed,
 * and it is destroyed with the room. The notice says only that something changed, so everything
 * that gathered is one notice, and the end of the room makes every notice needless.
 */
export function imNotices(parts: { readonly im: ImGroups; readonly log: Log }): DeliverySink {
  return {
    name: 'im',
    gatherMs: GATHER_MS,
    ownsGroup: true,
    wants(event, ref) {
      if (spaceOf(ref.kind) !== 'im') return false;
      if (event.type === 'pusher_joined') return event.reason !== 'room_opened';
      return ['pusher_updated', 'pusher_left', 'room_destroyed'].includes(event.type);
    },
    deliver: (delivery) => (delivery.closed ? destroy(delivery, parts) : notify(delivery, parts)),
  };
}

type Parts = Parameters<typeof imNotices>[0];

async function notify(delivery: Delivery, { im, log }: Parts): Promise<'done' | 'later' | 'down'> {
  const { roomID, epoch, toSeq } = delivery;
  try {
    await im.notifyPusherChange({ groupID: roomID, dedupeKey: `${epoch}/${toSeq}` });
    return 'done';
  } catch (error) {
    if (isWorthRepeating(error)) return isOutage(error) ? 'down' : 'later';
    log.error('im_notice_refused', error, { roomID, epoch });
    return 'done';
  }
}

/** A group left behind would live for ever, so its destruction is asked for until it succeeds. */
async function destroy(delivery: Delivery, { im, log }: Parts): Promise<'done' | 'later' | 'down'> {
  const { roomID, epoch, attempt } = delivery;
  try {
    await im.destroyGroup(roomID);
    return 'done';
  } catch (error) {
    if (!isWorthRepeating(error) && attempt === 0)
      log.error('im_group_not_destroyed', error, { roomID, epoch });
    return isOutage(error) ? 'down' : 'later';
  }
}

function isWorthRepeating(error: unknown): boolean {
  return !(error instanceof ImError) || error.kind === 'retry';
}

function isOutage(error: unknown): boolean {
  return error instanceof ImError && error.about === 'network';
}

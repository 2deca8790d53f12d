import * as z from 'zod';
import { ApiError } from '../../logic/errors.ts';
import { streamsNamedIn } from '../../logic/merge_params.ts';
import type { Call, Services } from '../../routes/endpoint.ts';
import * as fields from '../_fields.ts';
import { missing, roomEndpoint } from './_room.ts';

const Input = z.object({
  roomID: fields.RoomID,
  userID: fields.UserID,
  mergeParams: z.union([z.string().min(1).max(32_768), z.record(z.string(), z.unknown())]),
});

export default roomEndpoint({
  summary: 'Mix streams of a room into one; its creator asks, or whoever pushes the output.',
  input: Input,
  output: z.object({ result: z.record(z.string(), z.unknown()) }),
  errors: [
    'parameter_invalid',
    'merge_params_invalid',
    'room_not_found',
    'not_creator',
    'live_api_unavailable',
  ],
  async handle(call, services) {
    if (call.dialect === 'A' && call.input.roomID === '') throw missing('roomID');
    const named = streamsNamedIn(call.input.mergeParams);
    if (named === undefined)
      throw new ApiError('merge_params_invalid', 'mergeParams: expected a JSON object.');
    await assertOwnStreams(call, named, services);
    // Old clients read `result.code`, and without a `result` they fail for another reason.
    const result = { code: -1, message: 'No live API is configured.', timestamp: 0 };
    throw new ApiError('live_api_unavailable', result.message, { reply: { result } });
  },
});

/** Only streams of the room, or without a room of the caller, are mixed: nobody uses another's. */
async function assertOwnStreams(
  { kind, input }: Call<z.output<typeof Input>>,
  named: NonNullable<ReturnType<typeof streamsNamedIn>>,
  { rooms, live }: Services,
): Promise<void> {
  const { roomID, userID } = input;
  if (roomID === '') {
    assertAll([...named.inputs, ...named.outputs], (id) => live.isStreamOf(userID, id));
    return;
  }
  const { room, pushers } = await rooms.read({ kind, roomID });
  const own = pushers.find((pusher) => pusher.userID === userID)?.streamID;
  const ownsOutput = own !== undefined && own !== '' && named.outputs.includes(own);
  if (room.creator !== userID && !ownsOutput)
    throw new ApiError('not_creator', `${userID} neither made the room nor pushes the output.`);
  const streamIDs = new Set(pushers.map(({ streamID }) => streamID));
  assertAll([...named.inputs, ...named.outputs], (id) => streamIDs.has(id));
}

function assertAll(streamIDs: readonly string[], isAllowed: (id: string) => boolean): void {
  if (!streamIDs.every(isAllowed))
    throw new ApiError(
      'parameter_invalid',
      'mergeParams: names a stream that is not of this room.',
    );
}

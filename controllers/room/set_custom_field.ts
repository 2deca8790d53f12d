import * as z from 'zod';
import type { CustomOperation } from '../../logic/custom.ts';
import * as fields from '../_fields.ts';
import { missing, roomEndpoint, roomNamedIn } from './_room.ts';

const Input = z.object({
  roomID: fields.RoomID,
  fieldName: fields.FieldName,
  operation: z.enum(['inc', 'dec', 'set']),
  value: fields.FieldValue.optional(),
});

export default roomEndpoint({
  summary: 'Count a custom field of a room up or down, or set it.',
  input: Input,
  output: z.object({ custom: z.string(), customInfo: z.string() }),
  errors: ['parameter_invalid', 'room_not_found', 'custom_field_refused'],
  async handle(call, { rooms }) {
    const operation = operationIn(call.input);
    const ref = roomNamedIn(call);
    const custom = await rooms.changeCustom({ ref, actor: call.callerID, operation });
    return { custom, customInfo: custom };
  },
});

function operationIn({ fieldName, operation, value }: z.output<typeof Input>): CustomOperation {
  if (operation !== 'set') return { fieldName, operation };
  if (value === undefined) throw missing('value');
  return { fieldName, operation, value };
}

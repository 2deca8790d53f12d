const INPUTS_MAX = 16;
/** A canvas is drawn by the mixer: its id names no stream. */
const INPUT_TYPE_CANVAS = 3;
/** The output is a new stream rather than one of the inputs. */
const OUTPUT_TYPE_NEW = 1;

export interface NamedStreams {
  readonly inputs: readonly string[];
  /** Empty when the output is a new stream. */
  readonly outputs: readonly string[];
}

/**
 * The streams that legacy mergeParams (JSON text or object, `interface.para`, see Tencent's
 * Mix_StreamV2) take from and write to; undefined when they are no JSON object.
 */
export function streamsNamedIn(mergeParams: unknown): NamedStreams | undefined {
  const params = typeof mergeParams === 'string' ? parsed(mergeParams) : mergeParams;
  if (!isObject(params)) return undefined;
  const para = objectIn(objectIn(params, 'interface'), 'para');
  const list = para.input_stream_list;
  const inputs = (Array.isArray(list) ? list.slice(0, INPUTS_MAX + 1) : [])
    .filter(isObject)
    .filter((input) => objectIn(input, 'layout_params').input_type !== INPUT_TYPE_CANVAS)
    .map((input) => String(input.input_stream_id));
  const output = para.output_stream_id;
  const isNamed = output !== undefined && para.output_stream_type !== OUTPUT_TYPE_NEW;
  return { inputs, outputs: isNamed ? [String(output)] : [] };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function objectIn(parent: Record<string, unknown>, name: string): Record<string, unknown> {
  const child = parent[name];
  return isObject(child) ? child : {};
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const INPUTS_MAX = 16;
/** A canvas is drawn by the mixer: its id names no stream. */
const INPUT_TYPE_CANVAS = 3;
/** The output is a new stream rather than one of the inputs. */
const OUTPUT_TYPE_NEW = 1;
/** No stream can be called so. */
const NO_STREAM = '?';

export interface NamedStreams {
  readonly inputs: readonly string[];
  /** Empty when the output is a new stream. */
  readonly outputs: readonly string[];
}

/**
 * The streams that legacy mergeParams (JSON text or object, `interface.para`, see Tencent's
 * Mix_StreamV2) take from and write to; undefined when they are no JSON object, or name more
 * inputs than a mixer takes.
 */
export function streamsNamedIn(mergeParams: unknown): NamedStreams | undefined {
  const params = typeof mergeParams === 'string' ? parsed(mergeParams) : mergeParams;
  if (!isObject(params)) return undefined;
  const para = objectIn(objectIn(params, 'interface'), 'para');
  const list = Array.isArray(para.input_stream_list) ? para.input_stream_list : [];
  if (list.length > INPUTS_MAX) return undefined;
  const inputs = list
    .filter(isObject)
    .filter((input) => objectIn(input, 'layout_params').input_type !== INPUT_TYPE_CANVAS)
    .map((input) => streamIDOf(input.input_stream_id));
  const output = para.output_stream_id;
  const isNamed = output !== undefined && para.output_stream_type !== OUTPUT_TYPE_NEW;
  return { inputs, outputs: isNamed ? [streamIDOf(output)] : [] };
}

/** What is neither text nor a number names no stream, and so nobody's. */
function streamIDOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : NO_STREAM;
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

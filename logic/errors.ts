/**
 * Every failure a client can meet: its stable name, and the code and text each dialect of the
 * protocol gives it. Clients show `message` to people and branch on `code`; both are the contract.
 * Where the old servers worded one failure differently per endpoint, each wording is a row and
 * `name` says which failure it really is.
 */
export type Dialect = 'A' | 'B' | 'C';

type Wire = readonly [code: number, message: string];

interface Row {
  readonly name?: string;
  readonly A: Wire;
  readonly B: Wire;
  readonly C: Wire;
  /** Business answers are HTTP 200, because old clients read `code` and nothing else. */
  readonly status?: number;
}

const all = (code: number, message: string): Pick<Row, Dialect> => ({
  A: [code, message],
  B: [code, message],
  C: [code, message],
});

const http = (status: number, message: string): Row => ({ ...all(status, message), status });

const tokenRefused = (reason: number, text: string): Pick<Row, Dialect> =>
  all(7, `鉴权失败 错误码:${reason} 错误信息:${text}`);

export const ERRORS = {
  parameter_invalid: { A: [1, '请求参数错误'], B: [1, '参数不全'], C: [2, '请求失败，缺少参数'] },
  custom_field_refused: {
    A: [1, '请求参数错误'],
    B: [1, '参数不全'],
    C: [2, '请求失败，缺少参数'],
  },
  room_not_found: {
    A: [3, '您请求的房间不存在'],
    B: [3, '请求的房间不存在'],
    C: [3, '请求失败，房间不存在'],
  },
  not_creator: {
    A: [3, '您请求的房间不存在'],
    B: [3, '不是房间主人，无法销毁房间'],
    C: [3, '请求失败，房间不存在'],
  },
  not_member: {
    A: [5, '您请求的房间成员不存在'],
    B: [5, '不是房间成员'],
    C: [5, '请求失败，不是房间成员'],
  },
  not_member_leaving: {
    name: 'not_member',
    A: [5, '您请求的房间成员不存在'],
    B: [5, '退出房间失败，不是房间成员'],
    C: [5, '请求失败，不是房间成员'],
  },
  internal: all(6, '服务器内部错误'),
  im_unavailable: { A: [6, '服务器内部错误'], B: [6, '群组创建失败'], C: [6, '服务器内部错误'] },
  im_unavailable_joining: {
    name: 'im_unavailable',
    A: [6, '服务器内部错误'],
    B: [6, '创建群组失败'],
    C: [6, '服务器内部错误'],
  },
  live_api_unavailable: all(6, '服务器内部错误'),
  login_refused: all(7, '鉴权失败'),
  user_id_refused: {
    A: [7, '鉴权失败'],
    B: [7, '鉴权失败'],
    C: [7, '请求失败，userID含有非法字符或者不符合规范'],
  },
  token_mismatch: tokenRefused(1, 'token 错误'),
  token_malformed: tokenRefused(2, 'token 错误'),
  token_unknown: tokenRefused(3, '用户未登录或token过期'),
  token_missing: tokenRefused(4, '参数不全，请检查是否忘记携带参数userID和token'),
  room_info_too_long: {
    A: [10, 'roomInfo 字符串字节长度不能超过1024字节'],
    B: [10, 'roomInfo 字符串字节长度不能超过1024字节'],
    C: [11, 'roomInfo 字符串长度不能超过1024字节'],
  },
  merge_params_invalid: all(10, 'mergeParams 不是合法的JSON格式的字符串'),
  room_exists: { A: [2, '您请求的房间已经存在'], B: [11, '房间已经存在'], C: [11, '房间已经存在'] },
  room_full: all(5001, '超出房间人数上限'),
  bad_request: http(400, 'Bad request.'),
  admin_required: http(401, 'The admin password is required.'),
  path_not_found: http(404, 'There is no such path.'),
  method_not_allowed: http(405, 'This path does not take this method.'),
  log_file_not_found: http(404, 'There is no such log file.'),
  body_too_large: http(413, 'The request body is too large.'),
  body_unreadable: http(415, 'The request body cannot be read.'),
  draining: http(503, 'The service is shutting down.'),
  store_unavailable: http(503, 'The database does not answer.'),
} as const satisfies Record<string, Row>;

export type ErrorName = keyof typeof ERRORS;

export interface ErrorOptionsOfApi extends ErrorOptions {
  /** Fields the answer carries beside code and message. */
  readonly reply?: Readonly<Record<string, unknown>>;
}

/** A failure the caller is told about; everything else becomes `internal`. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly error: ErrorName;
  readonly reply: Readonly<Record<string, unknown>>;

  /** `detail` is English, for developers; it reaches the client as `detail`, so no secrets. */
  constructor(error: ErrorName, detail: string, options: ErrorOptionsOfApi = {}) {
    super(detail, options);
    this.error = error;
    this.reply = options.reply ?? {};
  }
}

/** How this failure looks on the wire, in the dialect of the request. */
export function wireError(
  error: ApiError,
  dialect: Dialect,
): { readonly status: number; readonly body: Readonly<Record<string, unknown>> } {
  const row: Row = ERRORS[error.error];
  const [code, message] = row[dialect];
  return {
    status: row.status ?? 200,
    body: { code, message, error: row.name ?? error.error, detail: error.message, ...error.reply },
  };
}

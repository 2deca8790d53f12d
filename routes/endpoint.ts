import type { Readable } from 'node:stream';
import type * as z from 'zod';
import type { Sessions } from '../logic/auth.ts';
import type { ConfigCheck } from '../logic/config_check.ts';
import type { Dialect, ErrorName } from '../logic/errors.ts';
import type { LiveUtil } from '../logic/live_util.ts';
import type { LogFile, OpenedLogFile } from '../logic/log_files.ts';
import type { Logins } from '../logic/logins.ts';
import type { MeetingMgr } from '../logic/meeting_mgr.ts';
import type { RoomKind, RoomRules } from '../logic/model.ts';
import type { Readiness } from '../logic/readiness.ts';
import type { RoomMgr } from '../logic/room_mgr.ts';

/** The log files of this service, for its administrators. */
export interface LogFiles {
  /** Where this service is reached from outside, for links. */
  readonly selfHost: string;
  list(): Promise<readonly LogFile[]>;
  open(name: string): Promise<OpenedLogFile | undefined>;
}

/** What handlers may reach. `app.ts` builds it once; a handler that needs more asks for it here. */
export interface Services {
  readonly rooms: RoomMgr;
  readonly meetings: MeetingMgr;
  readonly rules: Readonly<Record<RoomKind, RoomRules>>;
  readonly live: LiveUtil;
  readonly logins: Logins;
  readonly sessions: Sessions;
  readonly logFiles: LogFiles;
  readonly configCheck: ConfigCheck;
  readonly readiness: Readiness;
}

/**
 * Who may call. `client`: whoever the token names, or in open mode anybody. `admin_unless_open`:
 * what an administrator alone may do where tokens are needed, and anybody in open mode.
 */
export type Access = 'anyone' | 'client' | 'admin' | 'admin_unless_open';

/** One path prefix below which the endpoints of a folder are found. */
export interface Place {
  readonly prefix: string;
  /** The kind of room the path names. */
  readonly kind: RoomKind;
  /** The dialect every call there speaks; `by_query`: see `dialectOf`. */
  readonly dialect: Dialect | 'by_query';
}

/** What the endpoints of one controllers/ folder share. */
export interface Group {
  readonly places: readonly Place[];
  readonly access: Access;
  readonly method: 'GET' | 'POST';
}

type Shape = z.ZodObject;

/** One endpoint: its file name is its action, everything else stands here. */
export interface Definition<I extends Shape, O extends Shape> {
  readonly summary: string;
  readonly access?: Access;
  /** Where the input is read from; the body unless told, the query with GET. */
  readonly from?: 'body' | 'query';
  /** Only first-generation clients have this call, so its answers are always theirs. */
  readonly dialect?: Dialect;
  readonly input: I;
  /** The answer beside code and message; `raw` when it is not JSON. */
  readonly output: O | 'raw';
  readonly errors: readonly ErrorName[];
  handle(call: Call<z.output<I>>, services: Services): Promise<z.input<O> | RawReply>;
}

/** One request, parsed and authorised. */
export interface Call<I = unknown> {
  readonly kind: RoomKind;
  readonly dialect: Dialect;
  /** Who calls: proven by a token, or only claimed in open mode; '' when nobody is named. */
  readonly callerID: string;
  /** The caller is who he says: a token proves it. */
  readonly isProven: boolean;
  /** The token the caller is proven by, '' in open mode without one. */
  readonly token: string;
  readonly input: I;
}

/** An answer that is not the usual JSON. */
export class RawReply {
  readonly type: string;
  readonly body: string | Readable;
  readonly status: number;

  constructor(reply: {
    readonly type: string;
    readonly body: string | Readable;
    readonly status?: number;
  }) {
    this.type = reply.type;
    this.body = reply.body;
    this.status = reply.status ?? 200;
  }
}

export interface Endpoint<I extends Shape, O extends Shape> extends Definition<I, O> {
  readonly group: Group;
}

// biome-ignore lint/suspicious/noExplicitAny: the registry holds endpoints of every shape.
export type AnyEndpoint = Endpoint<any, any>;

/** Binds a folder's shared facts, so that each endpoint file states only what is its own. */
export function endpointsUnder(group: Group) {
  return <I extends Shape, O extends Shape>(definition: Definition<I, O>): Endpoint<I, O> => ({
    ...definition,
    group,
  });
}

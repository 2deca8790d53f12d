/** The IM groups of rooms, seen from the rooms: one group per room, through which members hear news. */
export interface ImGroups {
  readonly driver: 'tencent' | 'local';
  /** Resolves once the group exists; 'taken' = the id belongs to somebody else. */
  createGroup(groupID: string): Promise<'created' | 'taken'>;
  /** Resolves once the group is gone, also when it never was. */
  destroyGroup(groupID: string): Promise<void>;
  /** Tells the members that the pushers changed; the same `dedupeKey` marks a repeated notice. */
  notifyPusherChange(notice: PusherChangeNotice): Promise<void>;
  /** Gives up connections; calls still under way fail. */
  close(): Promise<void>;
}

export interface PusherChangeNotice {
  readonly groupID: string;
  readonly dedupeKey: string;
}

/** Whether repeating the call can help. */
export type ImErrorKind = 'retry' | 'final';

/** What the trouble is about: this group, our account, this request, or the way to the cloud. */
export type ImErrorAbout = 'group' | 'credentials' | 'request' | 'network';

export interface ImFailure {
  readonly message: string;
  readonly kind: ImErrorKind;
  readonly about: ImErrorAbout;
  readonly mayBeDone: boolean;
  readonly errorCode?: number | undefined;
}

/** An IM call that failed, with what the caller needs to decide whether to repeat it. */
export class ImError extends Error {
  override readonly name = 'ImError';
  /** The cloud's own code; undefined when no readable answer came. */
  readonly errorCode: number | undefined;
  readonly kind: ImErrorKind;
  readonly about: ImErrorAbout;
  /** The cloud may have done what was asked all the same: after a lost answer nobody knows. */
  readonly mayBeDone: boolean;

  constructor({ message, kind, about, mayBeDone, errorCode }: ImFailure) {
    super(message);
    this.errorCode = errorCode;
    this.kind = kind;
    this.about = about;
    this.mayBeDone = mayBeDone;
  }
}

/** Groups without a cloud: every call succeeds at once, and members hear news in other ways. */
export function localImGroups(): ImGroups {
  return {
    driver: 'local',
    createGroup: async () => 'created',
    destroyGroup: async () => {},
    notifyPusherChange: async () => {},
    close: async () => {},
  };
}

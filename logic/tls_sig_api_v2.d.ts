/** What `tls-sig-api-v2` 1.0.2 exports; the package ships no types and checks no argument. */
declare module 'tls-sig-api-v2' {
  /** Signs in the name of one app; it reads the wall clock itself, and cannot verify. */
  export class Api {
    constructor(sdkappid: number, key: string);
    /** `expire` counts seconds from now; only ASCII user ids give valid signatures everywhere. */
    genUserSig(userid: string, expire: number): string;
    genPrivateMapKey(userid: string, expire: number, roomid: number, privilegeMap: number): string;
    genPrivateMapKeyWithStringRoomID(
      userid: string,
      expire: number,
      roomstr: string,
      privilegeMap: number,
    ): string;
  }
}

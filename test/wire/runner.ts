import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { filled } from './placeholders.ts';
import { type JsonObject, type Profile, variantsOf, type WireCase } from './wire_case.ts';
import { WireRun } from './wire_run.ts';
import { startWireService, WIRE_CLOCK_S, WIRE_CONFIG } from './wire_service.ts';

const PROFILES_AT_ONCE = 4;

/** Registers the tests of several profiles: they share nothing, so waiting for one delays no other. */
export function describeProfiles(
  about: string,
  profiles: readonly (readonly [name: string, profile: Profile])[],
): void {
  describe(about, { concurrency: PROFILES_AT_ONCE }, () => {
    for (const [name, profile] of profiles) describeProfile(name, profile);
  });
}

/** Registers one test for each case of a profile, in their order, on a fresh server per base. */
export function describeProfile(name: string, profile: Profile): void {
  for (const base of profile.bases ?? [undefined]) describeOnBase(name, profile, base);
}

function describeOnBase(name: string, profile: Profile, base: string | undefined): void {
  const title = base === undefined ? name : `${name} on ${base || 'the root'}`;
  describe(title, { concurrency: 1 }, () => {
    let opened: WireRun | undefined;
    const run = () => {
      assert(opened, 'The server of this profile did not start.');
      return opened;
    };
    before(async () => {
      opened = await openWireRun(profile, base ?? '');
    });
    after(() => opened?.close());
    for (const wireCase of profile.cases)
      it(`${wireCase.id} ${wireCase.title}`, async () => {
        for (const variant of variantsOf(wireCase)) await run().perform(variant);
      });
    it('makes no IM call that nobody expected', () => run().assertNothingElse());
  });
}

async function openWireRun(profile: Profile, base: string): Promise<WireRun> {
  const { clock = WIRE_CLOCK_S, logFiles = {}, config = {}, users = [] } = profile;
  const startAtMs = clock === 'today' ? undefined : clock * 1000;
  const known = { names: new Map(), nowMs: startAtMs ?? Date.now() };
  const service = await startWireService({
    config: filled(config, known) as JsonObject,
    startAtMs,
    logFiles,
  });
  const run = new WireRun({ service, base, imDefault: profile.imDefault });
  for (const [code, openID] of Object.entries(profile.wechatCodes ?? {}))
    service.cloud.codes.set(code, openID);
  try {
    for (const user of users) await run.perform(loginOf(user));
  } catch (error) {
    await run.close();
    throw error;
  }
  return run;
}

function loginOf(user: string): WireCase {
  const { sdkAppID, accountType } = WIRE_CONFIG.im;
  return {
    id: `login of ${user}`,
    title: '',
    request: {
      path: '/weapp/multi_room/login',
      query: {
        sdkAppID: String(sdkAppID),
        accountType,
        userID: user,
        userSig: `\${usersig:${user}}`,
      },
    },
    response: { body: { code: 0, token: { $type: 'string', $as: `token_${user}` } } },
    im: [],
  };
}

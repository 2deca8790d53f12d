/**
 * Plays the life of a room with three users, against the service whose URL is given, or against
 * one it starts for itself. Every step says what happened; if anything is off it exits with 1.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startApp } from '../app.ts';
import { readConfig } from '../config.ts';

type Answer = Readonly<Record<string, unknown>> & { readonly code: number };

interface Person {
  readonly name: string;
  userID: string;
  token: string;
  pushURL: string;
  beating: NodeJS.Timeout | undefined;
}

interface Member {
  readonly userID: string;
  readonly accelerateURL: string;
}

const BEAT_MS = 1_000;
/** The default time-out, one sweep, and some patience. */
const SILENCE_LIMIT_S = 30;

const people = ['Ann', 'Bob', 'Cat'].map((name): Person => {
  return { name, userID: '', token: '', pushURL: '', beating: undefined };
});
const [ann, bob, cat] = people as [Person, Person, Person];
let base = '';
let roomID = '';

const STEPS: readonly (readonly [string, () => Promise<string>])[] = [
  ['The service says that it is ready', ready],
  ['Everybody gets a userSig and logs in', logIn],
  ['Everybody gets a signed URL to push to', pushURLs],
  ['Ann makes a live room; nobody sees it yet', createRoom],
  ['Ann takes her seat, and the room is listed', () => takeSeat(ann)],
  ['Bob takes a seat', () => takeSeat(bob)],
  ['Cat watches, and is counted', watch],
  ['Cat likes it twice', like],
  ['Cat comes on stage', () => takeSeat(cat)],
  ['A stranger is turned away', stranger],
  ['Everybody beats, nobody is missing', beat],
  ['Cat loses her network; after the time-out she is gone', silence],
  ['Bob leaves', leave],
  ['Ann leaves, and the room ends with her', end],
  ['Everybody logs out', logOut],
];

async function main(): Promise<void> {
  const given = process.argv[2];
  const folder = await mkdtemp(join(tmpdir(), 'roomkeep-demo-'));
  try {
    if (given !== undefined) return await play(new URL(given));
    const env = {
      ROOMKEEP_PORT: '0',
      ROOMKEEP_HOST: '127.0.0.1',
      ROOMKEEP_LIVE_ROOM__HEARTBEATTIMEOUT: '4',
      ROOMKEEP_LIVE_ROOM__SWEEPINTERVAL: '1',
    };
    await using app = await startApp(readConfig({ env, root: folder }));
    await play(app.url);
  } finally {
    for (const { beating } of people) clearInterval(beating);
    await rm(folder, { recursive: true, force: true });
  }
}

async function play(url: URL): Promise<void> {
  base = url.href.replace(/\/$/, '');
  console.log(`The life of a room, against ${base}\n`);
  for (const [index, [title, step]] of STEPS.entries()) {
    process.stdout.write(`[${String(index + 1).padStart(2)}/${STEPS.length}] ${title} ... `);
    const startedAtMs = performance.now();
    const said = await step();
    const tookMs = Math.round(performance.now() - startedAtMs);
    console.log(`ok (${tookMs} ms)${said === '' ? '' : `\n        ${said}`}`);
  }
  console.log('\nAll is well.');
}

async function ready(): Promise<string> {
  const response = await fetch(`${base}/ready`);
  assert.equal(response.status, 200, 'GET /ready must answer 200');
  return '';
}

async function logIn(): Promise<string> {
  for (const person of people) {
    const info = await answerOf(await fetch(`${base}/weapp/utils/get_login_info`));
    const { userID, sdkAppID, accType, userSig } = info;
    const claim = new URLSearchParams({
      sdkAppID: String(sdkAppID),
      accountType: String(accType),
      userID: String(userID),
      userSig: String(userSig),
    });
    const login = await answerOf(
      await fetch(`${base}/weapp/live_room/login?${claim}`, { method: 'POST' }),
    );
    person.userID = String(userID);
    person.token = String(login.token);
  }
  return people.map(({ name, userID }) => `${name} is ${userID}`).join(', ');
}

async function pushURLs(): Promise<string> {
  for (const person of people)
    person.pushURL = String((await call(person, 'get_push_url')).pushURL);
  return `Ann pushes to ${ann.pushURL.replace(/txSecret=\w+/, 'txSecret=...')}`;
}

async function createRoom(): Promise<string> {
  roomID = String((await call(ann, 'create_room', { roomInfo: 'A demo' })).roomID);
  assert.equal((await tryCall(bob, 'get_pushers', { roomID })).code, 3, 'it must be hidden');
  return `It is ${roomID}`;
}

async function takeSeat(person: Person): Promise<string> {
  const { name, pushURL } = person;
  const seat = { roomID, userName: name, userAvatar: '', pushURL };
  await call(person, 'add_pusher', seat);
  const beatOnce = () =>
    void tryCall(person, 'pusher_heartbeat', { roomID }).catch(() => undefined);
  person.beating = setInterval(beatOnce, BEAT_MS);
  const members = await membersSeenBy(ann);
  assert.ok(
    members.some(({ userID }) => userID === person.userID),
    `${name} must be listed`,
  );
  assert.equal(members[0]?.userID, ann.userID, 'the creator comes first');
  return `On stage: ${nameAll(members)}`;
}

async function watch(): Promise<string> {
  await call(cat, 'add_audience', { roomID, userInfo: '{}' });
  await call(cat, 'add_audience', { roomID, userInfo: '{}' });
  const { audienceCount } = await call(ann, 'get_audiences', { roomID });
  assert.equal(audienceCount, 1, 'who comes twice is counted once');
  return '';
}

async function like(): Promise<string> {
  const likes = { roomID, fieldName: 'likes', operation: 'inc' };
  await Promise.all([call(cat, 'set_custom_field', likes), call(cat, 'set_custom_field', likes)]);
  const { custom } = await call(ann, 'get_custom_info', { roomID });
  assert.equal(custom, '{"likes":2}', 'likes that come at once must add up');
  return `Custom fields: ${custom}`;
}

async function stranger(): Promise<string> {
  const asAnn = { roomID, userID: ann.userID };
  assert.equal((await tryCall(bob, 'destroy_room', asAnn)).code, 7, 'Bob is not Ann');
  const response = await fetch(
    `${base}/weapp/live_room/destroy_room?userID=${ann.userID}&token=x`,
    {
      method: 'POST',
      body: JSON.stringify(asAnn),
    },
  );
  assert.equal(((await response.json()) as Answer).code, 7, 'a made-up token must be refused');
  return '';
}

async function beat(): Promise<string> {
  for (const person of people) await call(person, 'pusher_heartbeat', { roomID });
  assert.equal((await membersSeenBy(ann)).length, 3);
  return '';
}

async function silence(): Promise<string> {
  clearInterval(cat.beating);
  for (let second = 1; second <= SILENCE_LIMIT_S; second++) {
    await delay(1_000);
    process.stdout.write(`${second}s `);
    const members = await membersSeenBy(ann);
    if (members.every(({ userID }) => userID !== cat.userID))
      return `On stage: ${nameAll(members)}`;
  }
  throw new Error(`Cat is still there after ${SILENCE_LIMIT_S} s.`);
}

async function leave(): Promise<string> {
  clearInterval(bob.beating);
  await call(bob, 'delete_pusher', { roomID });
  return `On stage: ${nameAll(await membersSeenBy(ann))}`;
}

async function end(): Promise<string> {
  clearInterval(ann.beating);
  await call(ann, 'delete_pusher', { roomID });
  assert.equal((await tryCall(bob, 'get_pushers', { roomID })).code, 3, 'the room must be gone');
  return '';
}

async function logOut(): Promise<string> {
  for (const person of people) await call(person, 'logout');
  const { code } = await tryCall(ann, 'get_room_list', { index: 0, cnt: 1 });
  assert.equal(code, 7, 'a token must end with its session');
  return '';
}

async function membersSeenBy(person: Person): Promise<readonly Member[]> {
  return (await call(person, 'get_pushers', { roomID })).pushers as readonly Member[];
}

function nameAll(members: readonly Member[]): string {
  const nameOf = (id: string) => people.find(({ userID }) => userID === id)?.name ?? id;
  return members.map(({ userID }) => nameOf(userID)).join(', ');
}

async function call(person: Person, action: string, body: object = {}): Promise<Answer> {
  const answer = await tryCall(person, action, body);
  assert.equal(answer.code, 0, `${action} answered ${JSON.stringify(answer)}`);
  return answer;
}

async function tryCall(person: Person, action: string, body: object = {}): Promise<Answer> {
  const { userID, token } = person;
  const url = `${base}/weapp/live_room/${action}?userID=${userID}&token=${token}`;
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ userID, ...body }),
  });
  return (await response.json()) as Answer;
}

async function answerOf(response: Response): Promise<Answer> {
  const answer = (await response.json()) as Answer;
  assert.equal(answer.code, 0, `${new URL(response.url).pathname}: ${JSON.stringify(answer)}`);
  return answer;
}

try {
  await main();
} catch (error) {
  console.log('NOT OK');
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

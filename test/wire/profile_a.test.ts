import { describeProfiles } from './runner.ts';
import { readProfile, readProfiles } from './wire_case.ts';

describeProfiles('on the wire, without tokens', [
  ['profile A', readProfile('profile_a.json')],
  ...readProfiles('profile_a_more.json'),
]);

import { describeProfiles } from './runner.ts';
import { readProfiles } from './wire_case.ts';

describeProfiles('on the wire, with tokens', readProfiles('profile_b.json'));

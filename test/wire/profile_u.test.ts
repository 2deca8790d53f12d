import { describeProfiles } from './runner.ts';
import { readProfiles } from './wire_case.ts';

describeProfiles('on the wire, the helpers', readProfiles('profile_u.json'));

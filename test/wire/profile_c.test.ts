import { describeProfile } from './runner.ts';
import { readProfiles } from './wire_case.ts';

for (const [name, profile] of readProfiles('profile_c.json')) describeProfile(name, profile);

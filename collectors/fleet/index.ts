export { PROFILES, type Profile } from './profile.ts';
export { type FleetOptions, type FleetProgress, runFleet } from './run-fleet.ts';

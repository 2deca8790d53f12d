import { endpointsUnder, type Place } from '../../routes/endpoint.ts';

const WEBRTC: Place = { prefix: '/weapp/webrtc_room', kind: 'webrtc_room', dialect: 'C' };
const WEBEXE: Place = { prefix: '/weapp/webexe_room', kind: 'webexe_room', dialect: 'C' };

/** What the WebRTC component of mini-programs calls. */
export const webrtcEndpoint = endpointsUnder({
  places: [WEBRTC],
  access: 'client',
  method: 'POST',
});

/** What PC programs and their web portal call. */
export const webexeEndpoint = endpointsUnder({
  places: [WEBEXE],
  access: 'client',
  method: 'POST',
});

/** The portal fetches this one. */
export const webexePage = endpointsUnder({ places: [WEBEXE], access: 'client', method: 'GET' });

/** What both call alike. */
export const meetingEndpoint = endpointsUnder({
  places: [WEBRTC, WEBEXE],
  access: 'client',
  method: 'POST',
});

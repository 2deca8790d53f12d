import { endpointsUnder } from '../../routes/endpoint.ts';

export const systemEndpoint = endpointsUnder({
  places: [{ prefix: '', kind: 'room', dialect: 'B' }],
  access: 'anyone',
  method: 'GET',
});

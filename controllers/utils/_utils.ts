import { endpointsUnder } from '../../routes/endpoint.ts';

export const utilsEndpoint = endpointsUnder({
  places: [{ prefix: '/weapp/utils', kind: 'room', dialect: 'B' }],
  access: 'admin',
  method: 'GET',
});

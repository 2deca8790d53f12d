import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import type { AnyEndpoint, Place } from './endpoint.ts';

/** An endpoint at one of the paths where it is found. */
export interface Route {
  readonly path: string;
  readonly action: string;
  readonly place: Place;
  readonly endpoint: AnyEndpoint;
}

/** Each `controllers/<folder>/<action>.ts` is an endpoint; `_files` are what a folder shares. */
export async function mapControllers(root: URL): Promise<readonly Route[]> {
  const files = (await readdir(root, { recursive: true }))
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => /^\w+\/[a-z]\w*\.[jt]s$/.test(file))
    .sort();
  const routes = await Promise.all(files.map((file) => routesOf(root, file)));
  return routes.flat();
}

/** The route of every path; two endpoints that claim one path are a mistake. */
export function routeTable(routes: readonly Route[]): ReadonlyMap<string, Route> {
  const table = new Map<string, Route>();
  for (const route of routes) {
    if (table.has(route.path)) throw new Error(`Two controllers are mapped to ${route.path}.`);
    table.set(route.path, route);
  }
  return table;
}

async function routesOf(root: URL, file: string): Promise<readonly Route[]> {
  const { default: endpoint } = (await import(new URL(file, root).href)) as {
    default?: AnyEndpoint;
  };
  if (endpoint?.group === undefined)
    throw new Error(`controllers/${file} must default-export an endpoint.`);
  const action = basename(file).replace(/\.[jt]s$/, '');
  return endpoint.group.places.map((place) => ({
    path: `${place.prefix}/${action}`,
    action,
    place,
    endpoint,
  }));
}

/** Where old deployments put a reverse proxy's prefix that reached the service unstripped. */
const OPTIONAL_PREFIXES = ['/roomservice', '/webrtc', '/roomlist'];

/**
 * The path as the route table knows it: `//` collapsed, no trailing `/`, and without the prefixes
 * that real traffic carries in front of `/weapp`.
 */
export function plainPathOf(path: string, rootPathname: string): string {
  const collapsed = path.replace(/\/{2,}/g, '/').replace(/(?<=.)\/$/, '');
  const below = withoutPrefix(collapsed, rootPathname);
  const prefix = OPTIONAL_PREFIXES.find((known) => below.startsWith(`${known}/`));
  return prefix === undefined ? below : withoutPrefix(below, prefix);
}

function withoutPrefix(path: string, prefix: string): string {
  return prefix !== '' && path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : path;
}

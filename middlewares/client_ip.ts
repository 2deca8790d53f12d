import { BlockList, isIP, isIPv6 } from 'node:net';
import type { Context } from 'koa';

/**
 * Who really asked. `X-Forwarded-For` counts only when the connection comes from a trusted proxy,
 * and then up to the last address that is not one: what a client wrote in front proves nothing.
 */
export function clientIP(trustedProxies: readonly string[]): (ctx: Context) => string {
  if (trustedProxies.length === 0) return peerOf;
  const trusted = new BlockList();
  for (const proxy of trustedProxies) addTo(trusted, proxy);
  const isTrusted = (ip: string) => trusted.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4');
  return (ctx) => {
    const peer = peerOf(ctx);
    if (isIP(peer) === 0 || !isTrusted(peer)) return peer;
    const chain = ctx
      .get('x-forwarded-for')
      .split(',')
      .map((ip) => ip.trim())
      .filter((ip) => isIP(ip) !== 0);
    return chain.findLast((ip) => !isTrusted(ip)) ?? chain[0] ?? peer;
  };
}

function peerOf(ctx: Context): string {
  return (ctx.req.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
}

function addTo(list: BlockList, proxy: string): void {
  const [ip = '', bits] = proxy.split('/');
  const family = isIPv6(ip) ? 'ipv6' : 'ipv4';
  if (bits === undefined) list.addAddress(ip, family);
  else list.addSubnet(ip, Number(bits), family);
}

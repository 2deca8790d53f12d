import { isIP } from 'node:net';
import * as z from 'zod';
import type { KeyType } from './keys.ts';

const URL_MAX = 2048;

/** A prefix of request paths, without a slash at its end. */
export function pathname(): KeyType<string> {
  return {
    schema: z
      .string()
      .regex(/^(\/[\w.~-]+)*\/?$/)
      .transform(withoutSlash),
    expected: 'nothing, or a path that begins with "/"',
  };
}

/** A URL to which paths are added, without a slash at its end. */
export function baseURL(): KeyType<string> {
  return {
    schema: z.string().max(URL_MAX).refine(isBaseURL).transform(withoutSlash),
    expected: 'an http:// or https:// URL without user, query or fragment',
  };
}

/** A URL that is used as it is. */
export function hookURL(): KeyType<string> {
  return {
    schema: z.string().max(URL_MAX).refine(isWebURL),
    expected: 'an http:// or https:// URL without user',
  };
}

/** A host of media, with `{bizid}` allowed in its name; blank means the default. */
export function hostPort(): KeyType<string> {
  return {
    schema: z
      .string()
      .max(255)
      .refine((value) => value === '' || isHostPort(value)),
    expected: 'a host name, with or without :port',
  };
}

/** Database servers, in the order of their use; blank means none. */
export function hostList(): KeyType<string> {
  return {
    schema: z
      .string()
      .max(1024)
      .transform((value) => value.split(',').map((host) => host.trim()))
      .refine((hosts) => hosts.join() === '' || hosts.every(isHostPort))
      .transform((hosts) => hosts.join()),
    expected: 'host names with or without :port, separated by ","',
  };
}

/** One address or a CIDR range. */
export function network(): KeyType<string> {
  return {
    schema: z.string().refine(isNetwork),
    expected: 'an IP address or a network such as 10.0.0.0/8',
  };
}

function withoutSlash(value: string): string {
  return value.replace(/\/+$/, '');
}

function isBaseURL(value: string): boolean {
  return isWebURL(value) && !/[?#]/.test(value);
}

function isWebURL(value: string): boolean {
  if (!/^https?:\/\/\S+$/.test(value) || !URL.canParse(value)) return false;
  const { username, password } = new URL(value);
  return username === '' && password === '';
}

/** `{bizid}` may stand in a name, as it does in the defaults. */
function isHostPort(value: string): boolean {
  const named = /^([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?$/.exec(
    value.replaceAll('{bizid}', '0'),
  );
  return named !== null && Number(named[2] ?? 1) >= 1 && Number(named[2] ?? 1) <= 65_535;
}

function isNetwork(value: string): boolean {
  const [address = '', prefix, ...rest] = value.split('/');
  const bits = isIP(address) === 4 ? 32 : 128;
  if (isIP(address) === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits);
}

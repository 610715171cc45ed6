/** What this browser, on this system and at this address, can do with serial ports. */

export type System = 'windows' | 'mac' | 'linux' | 'chromeos' | 'android' | 'ios' | 'other';

export type SerialAbility =
  | 'ready'
  /** Plain http from another machine: browsers hand out no ports there. */
  | 'insecure'
  /** A browser without Web Serial. */
  | 'missing'
  /** A phone or tablet: its browsers do not reach USB serial ports. */
  | 'phone';

export interface BrowserFacts {
  userAgent: string;
  isSecure: boolean;
  hasSerial: boolean;
}

export const browserFacts = (): BrowserFacts => ({
  userAgent: navigator.userAgent,
  isSecure: isSecureContext,
  hasSerial: 'serial' in navigator,
});

export function systemOf({ userAgent }: Pick<BrowserFacts, 'userAgent'>): System {
  if (/android/i.test(userAgent)) return 'android';
  if (/iphone|ipad|ipod/i.test(userAgent)) return 'ios';
  if (/windows/i.test(userAgent)) return 'windows';
  if (/cros/i.test(userAgent)) return 'chromeos';
  if (/mac os/i.test(userAgent)) return 'mac';
  return /linux|x11/i.test(userAgent) ? 'linux' : 'other';
}

export function serialAbility(facts: BrowserFacts): SerialAbility {
  const system = systemOf(facts);
  if (system === 'android' || system === 'ios') return 'phone';
  if (facts.hasSerial) return 'ready';
  // Without a secure context the interface is hidden, also in browsers that have it.
  return !facts.isSecure && /chrom|edg/i.test(facts.userAgent) ? 'insecure' : 'missing';
}

/** Names in the user agent, those first that call themselves something else as well. */
const BROWSERS: readonly (readonly [RegExp, string])[] = [
  [/Edg\/(\d+)/, 'Edge'],
  [/OPR\/(\d+)/, 'Opera'],
  [/Chrome\/(\d+)/, 'Chrome'],
  [/Firefox\/(\d+)/, 'Firefox'],
];

/** `Chrome 140 on linux`. */
export function platformText({ userAgent }: Pick<BrowserFacts, 'userAgent'>): string {
  const found = BROWSERS.map(([pattern, name]) => ({ name, major: pattern.exec(userAgent)?.[1] }));
  const { name, major } = found.find((one) => one.major !== undefined) ?? { name: 'a browser', major: '' };
  return `${[name, major].filter(Boolean).join(' ')} on ${systemOf({ userAgent })}`;
}

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

/**
 * A policy for Chromium browsers that gives the page of one plain http origin the functions of a secure one, Web Serial among them.
 * `OverrideSecurityRestrictionsOnInsecureOrigin`, Chrome from version 69; it counts after a restart of the browser.
 */
const POLICY = 'OverrideSecurityRestrictionsOnInsecureOrigin';

/** @returns the content of the policy file, with a line end. */
export const insecureOriginPolicy = (origin: string): string =>
  `${JSON.stringify({ [POLICY]: [origin] }, undefined, 2)}\n`;

/** Where it goes: a file on Linux, a value of the registry on Windows, a key of that name in the managed preferences of macOS. */
export const POLICY_PLACES: readonly { browser: string; place: string }[] = [
  { browser: 'Chrome on Linux', place: '/etc/opt/chrome/policies/managed/twostep.json' },
  { browser: 'Chromium on Linux', place: '/etc/chromium/policies/managed/twostep.json' },
  { browser: 'Edge on Linux', place: '/etc/opt/edge/policies/managed/twostep.json' },
  { browser: 'Chrome on Windows', place: `HKLM\\Software\\Policies\\Google\\Chrome\\${POLICY}\\1` },
  { browser: 'Edge on Windows', place: `HKLM\\Software\\Policies\\Microsoft\\Edge\\${POLICY}\\1` },
  { browser: 'Chrome on macOS', place: `${POLICY} in a profile for com.google.Chrome` },
];

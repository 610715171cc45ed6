// Declares `virtual:pwa-register`, which the build makes.
/// <reference types="vite-plugin-pwa/vanillajs" />

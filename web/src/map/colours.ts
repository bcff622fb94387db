// Colours of the map, and the points as the server sends them.

import type { Legend } from "../api";

export interface Points {
  x: Float32Array;
  y: Float32Array;
  colour: Uint16Array;
}

/** uint32 n, float32 x [n], float32 y [n], uint16 colour [n], little-endian, as all machines are that run browsers. */
export function read(data: ArrayBuffer): Points {
  const n = new DataView(data).getUint32(0, true);
  return {
    x: new Float32Array(data, 4, n),
    y: new Float32Array(data, 4 + 4 * n, n),
    colour: new Uint16Array(data, 4 + 8 * n, n),
  };
}

const FIRST = [
  "#3b7dd8", "#e07b39", "#3a9d5d", "#c8473f", "#8a63c9", "#b8912b", "#2aa5a0", "#d1629d", "#7a8b3d", "#5b6fb5",
  "#a8623c", "#4fb36e",
];
const NAMED: Record<string, string> = {
  mislabelled: "#d1493f", outlier: "#8a63c9", duplicate: "#3b7dd8", ambiguous: "#d99a26",
  open: "#8aa0b2", decided: "#2f9e63", unsure: "#d99a26", skipped: "#8a63c9", other: "#9a9a9a",
};
const RAMP = ["#3d5a80", "#3f8f8b", "#8fb34c", "#e3b23c", "#e07b39", "#c2352f"];

/** One colour for each name of a legend, as #rrggbb. */
export function palette(legend: Legend): string[] {
  return legend.names.map((name, place) => {
    if (NAMED[name] && legend.names.length <= 6) return NAMED[name];
    if (name === "other" && place === legend.names.length - 1) return NAMED.other;
    return FIRST[place] ?? turned(place);
  });
}

/** Further colours: hues a golden angle apart, in three lightnesses. */
function turned(place: number): string {
  const hue = (place * 137.508) % 360;
  const light = [0.45, 0.6, 0.37][place % 3];
  const strength = 0.55 * Math.min(light, 1 - light);
  const part = (n: number) => {
    const k = (n + hue / 30) % 12;
    const value = light - strength * Math.max(-1, Math.min(k - 3, 9 - k, 1));
    return Math.round(255 * value).toString(16).padStart(2, "0");
  };
  return `#${part(0)}${part(8)}${part(4)}`;
}

/** The colour of a share between 0 and 1. */
export function ramp(share: number): string {
  const at = Math.min(1, Math.max(0, share)) * (RAMP.length - 1);
  const low = Math.min(Math.floor(at), RAMP.length - 2);
  const [a, b] = [RAMP[low], RAMP[low + 1]].map((hex) => Number.parseInt(hex.slice(1), 16));
  const mix = (shift: number) => Math.round(((a >> shift) & 255) * (1 - at + low) + ((b >> shift) & 255) * (at - low));
  return `#${[16, 8, 0].map((shift) => mix(shift).toString(16).padStart(2, "0")).join("")}`;
}

/** Colours by code, as 0xRRGGBBAA. */
export function table(legend: Legend, alpha: number): number[] {
  const size = (legend.largest ?? 1000) + 1;
  const hexes = legend.kind === "scale" ? Array.from({ length: size }, (_, n) => ramp(n / (size - 1))) : palette(legend);
  return hexes.map((hex) => (Number.parseInt(hex.slice(1), 16) * 256 + alpha) >>> 0);
}

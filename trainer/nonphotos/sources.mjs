// Where drawings come from: packages whose licence lets anybody use them. The first word of a label is the manner, by which
// `soli export --kinds` sets sources apart.

/** From npm, as package.json pins them, by manner: icon sets in Iconify's form (MIT, Apache 2, CC0, CC BY, CC BY-SA). */
export const ICONS = {
  emoji: ['fluent-emoji', 'fluent-emoji-flat', 'noto', 'noto-v1', 'openmoji', 'twemoji', 'emojione', 'emojione-v1', 'fxemoji', 'streamline-emojis'],
  scribble: ['streamline-freehand-color'],
  icon: ['flat-color-icons', 'streamline-ultimate-color', 'vscode-icons', 'meteocons', 'icon-park', 'material-icon-theme'],
  pictogram: ['game-icons', 'healthicons', 'arcticons', 'guidance', 'medical-icon', 'pepicons-print'],
  logo: ['logos', 'devicon', 'skill-icons', 'cryptocurrency-color'],
  flag: ['circle-flags', 'flag'],
  pixels: ['streamline-pixel'],
};

/** From npm: styles of avatars in DiceBear's form, drawn anew for each seed (CC0, CC BY). */
export const AVATARS = ['adventurer', 'big-ears', 'big-smile', 'croodles', 'dylan', 'lorelei', 'micah', 'miniavs', 'notionists', 'open-peeps', 'personas', 'pixel-art', 'toon-head'];

/** From Debian: package, label, and the files that are drawings (tiles, buttons and photographs are left out). */
export const PAINTED = [
  ['wesnoth-1.16-data', 'portrait wesnoth', /core\/images\/portraits\/.*\.(png|webp)$/],
  ['wesnoth-1.16-data', 'landscape wesnoth', /core\/images\/story\/.*\.(png|jpg|webp)$/],
  ['wesnoth-1.16-data', 'unit wesnoth', /core\/images\/units\/[^/]+\/[^/]+\.png$/],
  ['freeorion-data', 'species freeorion', /art\/species\/.*\.png$/],
  ['lordsawar-data', 'knight lordsawar', /various\/.*\.(png|jpg)$/],
  ['crawl-tiles-data', 'monster crawl', /title_.*\.png$/],
  ['hedgewars-data', 'hedgehog hedgewars', /(Forts|Graphics\/(Missions|Hats|Graves)|Themes\/[^/]+)\/.*\.png$/],
  ['supertux-data', 'penguin supertux', /images\/(background|creatures|worldmap|decal)\/.*\.(png|jpg)$/],
  ['fillets-ng-data', 'fish fillets', /images\/[a-z0-9]+\/[^/]+\.png$/],
  ['warmux-data', 'war warmux', /map\/[^/]+\/.*\.(png|jpg)$/],
  ['ardentryst', 'anime ardentryst', /Data\/.*\.png$/],
  ['renpy-demo', 'anime renpy', /images\/(sylvie|eileen|lucy).*\.(png|webp)$/],
  ['amoebax-data', 'anime amoebax', /graphics\/.*\.png$/],
  ['ktuberling-data', 'toy ktuberling', /pics\/.*\.(svgz?|png)$/],
  ['pingus-data', 'crayon pingus', /images\/story\/.*\.png$/],
  ['planetblupi-common', 'blupi planetblupi', /image\/(?!.*(blupi|object|mask|floor|fog|char|little|button|jauge|text)).*\.png$/],
  ['raincat-data', 'cat raincat', /data\/(cat|levels|backgrounds)\/.*\.png$/],
  ['tuxpaint-stamps-default', 'clipart tuxpaint', /stamps\/.*(cartoon\/[^/]*\.png|\.svg)$/],
  ['openclipart-png', 'clipart openclipart', /png\/(animals|buildings|decorations|education|food|people|plants|recreation|tools|transportation|unsorted)\/.*\.png$/],
];

/** Debian 12's packages: version, SHA-256 of the file, and the licence. */
export const PACKAGES = {
  'wesnoth-1.16-data': ['1:1.16.9-1', '1012b964bd412a6770685e3324ae3b61e176caff7846192d1ee63d55cd621e26'], // GPL 2
  'freeorion-data': ['0.4.10.2-1', '911a15d562f9c2a454eda03d4ed9e9ddc01be850d415652f257fe14660896017'], // GPL 2, CC BY-SA 3.0
  'lordsawar-data': ['0.3.2+frogknows-1', '6487709d91a8f69f0b9ea05afad86b3a523564dcd277a0174752530fa3934ad8'], // GPL 3 or later
  'crawl-tiles-data': ['2:0.28.0-1.1', '6eae80f1d2c1ba9d6c9c8e276d1007dd2e900aab58f55427913c20605988fda3'], // GPL 2 or later
  'hedgewars-data': ['1.0.2-6', '722225903a72604403e6e0026e40e9a6953f47a74d94efc5f55504bc05bb4761'], // GPL 2
  'supertux-data': ['0.6.3-2', 'a6ad8865972f1dbb5e7b49f4e1b381dd16a68f3028a3502cfeaca2400285d27f'], // GPL 2 or 3, CC BY-SA, CC0
  'fillets-ng-data': ['1.0.1-1.1', '25de89afd8b1adf7bcace8290248a6a22c89cd42300317e69000e162c032cf84'], // GPL 2 or later
  'warmux-data': ['1:11.04.1+repack2-4', 'cceec72afcc9d5b0515149eb505bf0d883bd47399e602b30a805cafa2d91eb70'], // GPL 2 or later
  'ardentryst': ['1.71-9', '7a01180285a4acaa980b18118127c60ac0377f4e2bcd69244b1feb7de5fc566f'], // GPL 3 or later, CC BY-SA 3.0
  'renpy-demo': ['8.0.3+dfsg-1', 'b7599368598cd7a96e89772d48d7c89327fcc8d4490e0760eceda0bd792025d5'], // MIT
  'amoebax-data': ['0.2.1+dfsg-6', 'e7bc4d55ad15e20decc44f67819c109c42935f2173ed39926aeb3ec502642009'], // Free Art License 1.2
  'ktuberling-data': ['4:22.12.3-1', 'fba44c875bfa31ea488dadd9263e87a4dcaea0bd47d28817f6c0dc6d2af970ed'], // GPL 2 or later, CC0, CC BY
  'pingus-data': ['0.7.6-5.1', 'db503fdc34a7f86a02f2f1a77219b5cf4d813224cd4b13b5f0aad3af3d213805'], // GPL 2 or later
  'planetblupi-common': ['1.14.2-3', '4b0c6381e7f72e44585cb0ae766d33d40627c866dee0b4447c77bbc42df87304'], // GPL 3 or later
  'raincat-data': ['1.1.1.2-4', 'c5f65afaefdc30f5f2fa55ebed12dadf9677166fcd551b36771c5102bbaa4279'], // CC BY-SA 3.0
  'tuxpaint-stamps-default': ['2022.06.04-1', '6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34'], // GPL 2
  'openclipart-png': ['1:0.18+dfsg-19', 'f07f1545a2970c2cf3fa339bc2405da1a95cf2b1827bfa05bf73eb1c20291c02'], // public domain
};

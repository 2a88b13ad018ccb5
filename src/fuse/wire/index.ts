export * from './attributes.js';
export * from './constants.js';
export * from './dirent.js';
export * from './header.js';
export * from './header.js';
export * from './init.js';
export * from './replies.js';
export * from './requests.js';

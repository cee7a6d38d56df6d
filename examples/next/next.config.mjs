// A folder of files that any host can serve; a server of Next's own works as well.
export default { output: 'export' };

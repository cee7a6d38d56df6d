/** Writes the trunk as an ONNX model. */
import protobuf from 'protobufjs';

const TYPES = protobuf.Root.fromJSON({
  nested: {
    Attribute: {
      fields: {
        name: { id: 1, type: 'string' },
        i: { id: 3, type: 'int64' },
        s: { id: 4, type: 'bytes' },
        ints: { id: 8, type: 'int64', rule: 'repeated', options: { packed: false } },
        type: { id: 20, type: 'int32' },
      },
    },
    Node: {
      fields: {
        input: { id: 1, type: 'string', rule: 'repeated' },
        output: { id: 2, type: 'string', rule: 'repeated' },
        name: { id: 3, type: 'string' },
        opType: { id: 4, type: 'string' },
        attribute: { id: 5, type: 'Attribute', rule: 'repeated' },
      },
    },
    Tensor: {
      fields: {
        dims: { id: 1, type: 'int64', rule: 'repeated', options: { packed: false } },
        dataType: { id: 2, type: 'int32' },
        name: { id: 8, type: 'string' },
        rawData: { id: 9, type: 'bytes' },
      },
    },
    Dimension: { fields: { dimValue: { id: 1, type: 'int64' } } },
    Shape: { fields: { dim: { id: 1, type: 'Dimension', rule: 'repeated' } } },
    TensorType: { fields: { elemType: { id: 1, type: 'int32' }, shape: { id: 2, type: 'Shape' } } },
    Type: { fields: { tensorType: { id: 1, type: 'TensorType' } } },
    ValueInfo: { fields: { name: { id: 1, type: 'string' }, type: { id: 2, type: 'Type' } } },
    Graph: {
      fields: {
        node: { id: 1, type: 'Node', rule: 'repeated' },
        name: { id: 2, type: 'string' },
        initializer: { id: 5, type: 'Tensor', rule: 'repeated' },
        input: { id: 11, type: 'ValueInfo', rule: 'repeated' },
        output: { id: 12, type: 'ValueInfo', rule: 'repeated' },
      },
    },
    OpsetId: { fields: { domain: { id: 1, type: 'string' }, version: { id: 2, type: 'int64' } } },
    Model: {
      fields: {
        irVersion: { id: 1, type: 'int64' },
        graph: { id: 7, type: 'Graph' },
        opsetImport: { id: 8, type: 'OpsetId', rule: 'repeated' },
      },
    },
  },
});

const FLOAT = 1;
const [INT_ATTRIBUTE, INTS_ATTRIBUTE, STRING_ATTRIBUTE] = [2, 7, 3];

/** The model's bytes for pictures of `side` pixels: (1, 3, side, side) to (1, 320, side / 32, side / 32). */
export function onnx({ stem, blocks }, side) {
  const nodes = [];
  const tensors = [];
  let count = 0;
  const tensor = (dims, values) => {
    const name = `t${count++}`;
    const rawData = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    tensors.push({ dims, dataType: FLOAT, name, rawData });
    return name;
  };
  const node = (opType, input, attribute = []) => {
    const name = `n${count++}`;
    nodes.push({ opType, input, output: [name], name, attribute });
    return name;
  };
  const [zero, six] = [tensor([], Float32Array.of(0)), tensor([], Float32Array.of(6))];
  const conv = (x, { shape, weight, bias }, stride, group, relu6) => {
    const [height, width, inputs, outputs] = shape;
    const y = node('Conv', [x, tensor([outputs, inputs, height, width], outputsFirst(shape, weight)), tensor([outputs], bias)], [
      { name: 'strides', ints: [stride, stride], type: INTS_ATTRIBUTE },
      { name: 'group', i: group, type: INT_ATTRIBUTE },
      { name: 'auto_pad', s: Buffer.from('SAME_UPPER'), type: STRING_ATTRIBUTE },
    ]);
    return relu6 ? node('Clip', [y, zero, six]) : y;
  };
  let x = conv('pixels', stem, 2, 1, true);
  for (const { expand, depthwise, project, stride, residual } of blocks) {
    let y = expand ? conv(x, expand, 1, 1, true) : x;
    y = conv(y, depthwise, stride, depthwise.shape[3], true);
    y = conv(y, project, 1, 1, false);
    x = residual ? node('Add', [x, y]) : y;
  }
  nodes.at(-1).output[0] = 'features';
  const value = (name, dims) => ({
    name,
    type: { tensorType: { elemType: FLOAT, shape: { dim: dims.map((dimValue) => ({ dimValue })) } } },
  });
  const Model = TYPES.lookupType('Model');
  const model = {
    irVersion: 8,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'trunk',
      node: nodes,
      initializer: tensors,
      input: [value('pixels', [1, 3, side, side])],
      output: [value('features', [1, 320, side / 32, side / 32])],
    },
  };
  return Buffer.from(Model.encode(Model.fromObject(model)).finish());
}

/** (height, width, inputs, outputs) to (outputs, inputs, height, width). */
function outputsFirst([height, width, inputs, outputs], weight) {
  const moved = new Float32Array(weight.length);
  let to = 0;
  for (let o = 0; o < outputs; o++)
    for (let i = 0; i < inputs; i++)
      for (let hw = 0; hw < height * width; hw++) moved[to++] = weight[(hw * inputs + i) * outputs + o];
  return moved;
}

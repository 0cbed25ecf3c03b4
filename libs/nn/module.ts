import { ResimError } from '#libs/core';
import { keep, noGrad, type Tensor } from '#libs/tensor';

/**
 * A network or a part of one: named parameters, named buffers and named parts. Names join with dots as in PyTorch
 * (`layer1.0.conv1.weight`), so that weights travel between the two by name alone. A part whose name is empty adds
 * nothing to the names of what is in it.
 */
export abstract class Module {
  private readonly ownParameters = new Map<string, Tensor>();
  /** One set a shard; see `setShards`. */
  private readonly ownBuffers: Map<string, Tensor>[] = [new Map()];
  private readonly parts: [name: string, part: Module][] = [];
  private shard = 0;

  protected parameter(name: string, value: Tensor): Tensor {
    this.ownParameters.set(name, keep(value).setRequiresGrad(true));
    return value;
  }

  /** A tensor that belongs to the state and is not trained, such as a running mean. */
  protected registerBuffer(name: string, value: Tensor): void {
    this.ownBuffers[0]!.set(name, keep(value));
  }

  /** The buffer of the shard that is selected. */
  protected buffer(name: string): Tensor {
    return this.ownBuffers[this.shard]!.get(name)!;
  }

  protected part<M extends Module>(name: string, module: M): M {
    if (name !== '' && this.parts.some(([other]) => other === name))
      throw new RangeError(`a network has two parts named ${name}`);
    this.parts.push([name, module]);
    return module;
  }

  private *walk(prefix = ''): Generator<[prefix: string, module: Module]> {
    yield [prefix, this];
    for (const [name, part] of this.parts) yield* part.walk(name === '' ? prefix : `${prefix}${name}.`);
  }

  /** Every parameter by its full name, in the order of construction. */
  namedParameters(): Map<string, Tensor> {
    const found = new Map<string, Tensor>();
    for (const [prefix, module] of this.walk())
      for (const [name, tensor] of module.ownParameters) found.set(prefix + name, tensor);
    return found;
  }

  parameters(): Tensor[] {
    return [...this.namedParameters().values()];
  }

  namedBuffers(shard = 0): Map<string, Tensor> {
    const found = new Map<string, Tensor>();
    for (const [prefix, module] of this.walk())
      for (const [name, tensor] of module.ownBuffers[Math.min(shard, module.ownBuffers.length - 1)]!)
        found.set(prefix + name, tensor);
    return found;
  }

  /** Parameters and the buffers of the first shard: what a file of weights holds. */
  state(): Map<string, Tensor> {
    return new Map([...this.namedParameters(), ...this.namedBuffers()]);
  }

  /**
   * Gives every one of `count` emulated devices buffers of its own, all equal to the present ones: batch
   * normalisation keeps separate running statistics on every device in the original training.
   */
  setShards(count: number): void {
    for (const [, module] of this.walk())
      while (module.ownBuffers.length < count)
        module.ownBuffers.push(
          new Map(Array.from(module.ownBuffers[0]!, ([name, tensor]) => [name, keep(tensor.clone())])),
        );
  }

  /**
   * Every shard starts again from the buffers of the first: distributed training broadcasts them from the first
   * device before each step, so what the others gathered lasts one step. (PyTorch's DistributedDataParallel,
   * `broadcast_buffers`.)
   */
  broadcastBuffers(): void {
    noGrad(() => {
      for (const [, module] of this.walk())
        for (const set of module.ownBuffers.slice(1))
          for (const [name, buffer] of set) buffer.copy_(module.ownBuffers[0]!.get(name)!);
    });
  }

  /** The shard whose buffers the following forward passes read and update. */
  selectShard(shard: number): void {
    for (const [, module] of this.walk()) module.shard = Math.min(shard, module.ownBuffers.length - 1);
  }

  /** Whether gradients are recorded for the parameters; off for a teacher. */
  setTrainable(on: boolean): void {
    for (const parameter of this.parameters()) parameter.setRequiresGrad(on);
  }

  /**
   * Takes over values by name, converted to the module's own dtype and device.
   * @throws ResimError DATA_LOSS naming the first tensor that is missing or has another shape.
   */
  load(values: ReadonlyMap<string, Tensor>, shard = 0): void {
    noGrad(() => {
      for (const [name, target] of [...this.namedParameters(), ...this.namedBuffers(shard)]) {
        const value = values.get(name);
        if (!value)
          throw new ResimError('DATA_LOSS', `the weights have no tensor \`${name}\``, {
            reason: 'WEIGHTS_MISSING',
          });
        if (value.shape.join() !== target.shape.join())
          throw new ResimError(
            'DATA_LOSS',
            `\`${name}\` must have the shape [${target.shape.join(', ')}], the weights have [${value.shape.join(', ')}]`,
            { reason: 'WEIGHTS_SHAPE' },
          );
        target.copy_(value);
      }
    });
  }

  dispose(): void {
    for (const [, module] of this.walk()) {
      for (const tensor of module.ownParameters.values()) tensor.dispose();
      for (const set of module.ownBuffers) for (const tensor of set.values()) tensor.dispose();
    }
  }
}

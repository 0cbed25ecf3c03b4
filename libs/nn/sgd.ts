import { keep, sgdStep, type Tensor } from '#libs/tensor';

export interface SgdOptions {
  momentum: number;
  /** On every parameter, norms and biases included, as published. */
  weightDecay: number;
}

/** SGD with momentum over named parameters, in PyTorch's form. */
export class Sgd {
  private readonly parameters: ReadonlyMap<string, Tensor>;
  private readonly velocities: Map<string, Tensor>;
  private readonly options: SgdOptions;

  constructor(parameters: ReadonlyMap<string, Tensor>, options: SgdOptions) {
    this.parameters = parameters;
    this.options = options;
    this.velocities = new Map(
      Array.from(parameters, ([name, value]) => [name, keep(value.detach().zerosLike())]),
    );
  }

  /**
   * One step; gradients in the order of the parameters.
   * @param moves whether a parameter takes part; one that does not keeps its value and its velocity @default all do
   */
  step(gradients: readonly Tensor[], lr: number, moves: (name: string) => boolean = () => true): void {
    const taking = [...this.parameters].map(([name, value], place) => ({
      name,
      value,
      gradient: gradients[place]!,
    }));
    const moving = taking.filter(({ name }) => moves(name));
    sgdStep(
      moving.map(({ value }) => value),
      moving.map(({ gradient }) => gradient),
      moving.map(({ name }) => this.velocities.get(name)!),
      { ...this.options, lr },
    );
  }

  /** The velocities by parameter name: what a checkpoint holds. */
  state(): ReadonlyMap<string, Tensor> {
    return this.velocities;
  }

  dispose(): void {
    for (const tensor of this.velocities.values()) tensor.dispose();
  }
}

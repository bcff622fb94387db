"""Corrections: what people say after training, which counts at once and is carried by the model folder.

`shelves`: the tree as people changed it. `rows`: what products are compared by. `ground`: the products that
the model learned from, which say how far a correction reaches. `memory`: the corrected products. `lookup` and
`reach`: which of them speak for a new product. `heads`: what tells a new shelf from all others. `state`: all
of it together, as one step after the model's probabilities. `changes`: what people can do. `similar`:
evidence. `decisions`: files of the review page.
"""

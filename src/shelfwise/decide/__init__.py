"""From leaf probabilities to answers: fusion of views, calibration, back-off to shelves, promises."""

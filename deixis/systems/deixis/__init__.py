"""The union: any region of any signal in; text, boxes, spans and masks out."""

"""Distillation of a teacher into a small ResNet; needs torch."""

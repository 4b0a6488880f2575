"""The dialect of Gemini's generateContent."""

from isthmus.dialects.gemini_generate.translator import GEMINI_GENERATE, GeminiGenerate

__all__ = ["GEMINI_GENERATE", "GeminiGenerate"]

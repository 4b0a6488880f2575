"""The dialect of Gemini's generateContent."""

from isthmus.dialects.gemini_generate.translator import GEMINI_GENERATE, GEMINI_GENERATE_ARRAY, GeminiGenerate

__all__ = ["GEMINI_GENERATE", "GEMINI_GENERATE_ARRAY", "GeminiGenerate"]

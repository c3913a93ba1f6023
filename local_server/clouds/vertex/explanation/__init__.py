"""Vertex Explainable AI: feature attributions by sampled Shapley and integrated gradients.

`rules` checks an ExplanationSpec when it is sent, `spec` reads it for a request, `explain` answers
one. `shapley` and `integrated` are the two methods, `values` takes instances apart. Only
`clouds/vertex` imports it.

Sources: aiplatform v1, the field descriptions of ExplanationSpec, ExplainRequest and Attribution;
Vertex AI, "Configure feature-based explanations" and "Improve feature-based explanations".
"""

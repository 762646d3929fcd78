"""RNA-seq: transcriptome indices, Salmon quantification, tximport."""

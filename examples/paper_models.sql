-- Registers the seventy models of the paper on two-phase model selection (its Table VIII) from the Hugging Face hub,
-- under their names there, which are those of the published results. About 30 GB are downloaded; models that are
-- registered already are left as they are, so a run that breaks off is continued by running it again:
--
--     modelstore zoo.db --continue -f paper_models.sql
--
-- Most have pickled weights only, which are converted to safetensors once. The last five need what modelstore does not
-- bring, and are refused without it: --continue goes on after them.

-- 40 models of texts
CREATE MODEL IF NOT EXISTS '18811449050/bert_finetuning_test' FROM 'hf://18811449050/bert_finetuning_test';
CREATE MODEL IF NOT EXISTS 'aditeyabaral/finetuned-sail2017-xlm-roberta-base' FROM 'hf://aditeyabaral/finetuned-sail2017-xlm-roberta-base';
CREATE MODEL IF NOT EXISTS 'albert-base-v2' FROM 'hf://albert-base-v2';
CREATE MODEL IF NOT EXISTS 'aliosm/sha3bor-metre-detector-arabertv2-base' FROM 'hf://aliosm/sha3bor-metre-detector-arabertv2-base';
CREATE MODEL IF NOT EXISTS 'Alireza1044/albert-base-v2-qnli' FROM 'hf://Alireza1044/albert-base-v2-qnli';
CREATE MODEL IF NOT EXISTS 'anirudh21/bert-base-uncased-finetuned-qnli' FROM 'hf://anirudh21/bert-base-uncased-finetuned-qnli';
CREATE MODEL IF NOT EXISTS 'aviator-neural/bert-base-uncased-sst2' FROM 'hf://aviator-neural/bert-base-uncased-sst2';
CREATE MODEL IF NOT EXISTS 'aychang/bert-base-cased-trec-coarse' FROM 'hf://aychang/bert-base-cased-trec-coarse';
CREATE MODEL IF NOT EXISTS 'bert-base-uncased' FROM 'hf://bert-base-uncased';
CREATE MODEL IF NOT EXISTS 'bondi/bert-semaphore-prediction-w4' FROM 'hf://bondi/bert-semaphore-prediction-w4';
CREATE MODEL IF NOT EXISTS 'CAMeL-Lab/bert-base-arabic-camelbert-da-sentiment' FROM 'hf://CAMeL-Lab/bert-base-arabic-camelbert-da-sentiment';
CREATE MODEL IF NOT EXISTS 'CAMeL-Lab/bert-base-arabic-camelbert-mix-did-nadi' FROM 'hf://CAMeL-Lab/bert-base-arabic-camelbert-mix-did-nadi';
CREATE MODEL IF NOT EXISTS 'classla/bcms-bertic-parlasent-bcs-ter' FROM 'hf://classla/bcms-bertic-parlasent-bcs-ter';
CREATE MODEL IF NOT EXISTS 'connectivity/bert_ft_qqp-1' FROM 'hf://connectivity/bert_ft_qqp-1';
CREATE MODEL IF NOT EXISTS 'connectivity/bert_ft_qqp-17' FROM 'hf://connectivity/bert_ft_qqp-17';
CREATE MODEL IF NOT EXISTS 'connectivity/bert_ft_qqp-7' FROM 'hf://connectivity/bert_ft_qqp-7';
CREATE MODEL IF NOT EXISTS 'connectivity/bert_ft_qqp-96' FROM 'hf://connectivity/bert_ft_qqp-96';
CREATE MODEL IF NOT EXISTS 'dhimskyy/wiki-bert' FROM 'hf://dhimskyy/wiki-bert';
CREATE MODEL IF NOT EXISTS 'distilbert-base-uncased' FROM 'hf://distilbert-base-uncased';
CREATE MODEL IF NOT EXISTS 'DoyyingFace/bert-asian-hate-tweets-asian-unclean-freeze-4' FROM 'hf://DoyyingFace/bert-asian-hate-tweets-asian-unclean-freeze-4';
CREATE MODEL IF NOT EXISTS 'emrecan/bert-base-multilingual-cased-snli_tr' FROM 'hf://emrecan/bert-base-multilingual-cased-snli_tr';
CREATE MODEL IF NOT EXISTS 'gchhablani/bert-base-cased-finetuned-rte' FROM 'hf://gchhablani/bert-base-cased-finetuned-rte';
CREATE MODEL IF NOT EXISTS 'gchhablani/bert-base-cased-finetuned-wnli' FROM 'hf://gchhablani/bert-base-cased-finetuned-wnli';
CREATE MODEL IF NOT EXISTS 'Guscode/DKbert-hatespeech-detection' FROM 'hf://Guscode/DKbert-hatespeech-detection';
CREATE MODEL IF NOT EXISTS 'ishan/bert-base-uncased-mnli' FROM 'hf://ishan/bert-base-uncased-mnli';
CREATE MODEL IF NOT EXISTS 'jb2k/bert-base-multilingual-cased-language-detection' FROM 'hf://jb2k/bert-base-multilingual-cased-language-detection';
CREATE MODEL IF NOT EXISTS 'Jeevesh8/512seq_len_6ep_bert_ft_cola-91' FROM 'hf://Jeevesh8/512seq_len_6ep_bert_ft_cola-91';
CREATE MODEL IF NOT EXISTS 'Jeevesh8/6ep_bert_ft_cola-47' FROM 'hf://Jeevesh8/6ep_bert_ft_cola-47';
CREATE MODEL IF NOT EXISTS 'Jeevesh8/bert_ft_cola-88' FROM 'hf://Jeevesh8/bert_ft_cola-88';
CREATE MODEL IF NOT EXISTS 'Jeevesh8/bert_ft_qqp-40' FROM 'hf://Jeevesh8/bert_ft_qqp-40';
CREATE MODEL IF NOT EXISTS 'Jeevesh8/bert_ft_qqp-68' FROM 'hf://Jeevesh8/bert_ft_qqp-68';
CREATE MODEL IF NOT EXISTS 'Jeevesh8/bert_ft_qqp-9' FROM 'hf://Jeevesh8/bert_ft_qqp-9';
CREATE MODEL IF NOT EXISTS 'Jeevesh8/feather_berts_46' FROM 'hf://Jeevesh8/feather_berts_46';
CREATE MODEL IF NOT EXISTS 'Jeevesh8/init_bert_ft_qqp-24' FROM 'hf://Jeevesh8/init_bert_ft_qqp-24';
CREATE MODEL IF NOT EXISTS 'Jeevesh8/init_bert_ft_qqp-33' FROM 'hf://Jeevesh8/init_bert_ft_qqp-33';
CREATE MODEL IF NOT EXISTS 'manueltonneau/bert-twitter-en-is-hired' FROM 'hf://manueltonneau/bert-twitter-en-is-hired';
CREATE MODEL IF NOT EXISTS 'roberta-base' FROM 'hf://roberta-base';
CREATE MODEL IF NOT EXISTS 'socialmediaie/TRAC2020_IBEN_B_bert-base-multilingual-uncased' FROM 'hf://socialmediaie/TRAC2020_IBEN_B_bert-base-multilingual-uncased';
CREATE MODEL IF NOT EXISTS 'Splend1dchan/bert-base-uncased-slue-goldtrascription-e3-lr1e-4' FROM 'hf://Splend1dchan/bert-base-uncased-slue-goldtrascription-e3-lr1e-4';
CREATE MODEL IF NOT EXISTS 'XSY/albert-base-v2-imdb-calssification' FROM 'hf://XSY/albert-base-v2-imdb-calssification';

-- 25 models of images
CREATE MODEL IF NOT EXISTS 'facebook/deit-base-patch16-224' FROM 'hf://facebook/deit-base-patch16-224';
CREATE MODEL IF NOT EXISTS 'facebook/deit-base-patch16-384' FROM 'hf://facebook/deit-base-patch16-384';
CREATE MODEL IF NOT EXISTS 'facebook/deit-small-patch16-224' FROM 'hf://facebook/deit-small-patch16-224';
CREATE MODEL IF NOT EXISTS 'facebook/dino-vitb16' FROM 'hf://facebook/dino-vitb16';
CREATE MODEL IF NOT EXISTS 'facebook/dino-vitb8' FROM 'hf://facebook/dino-vitb8';
CREATE MODEL IF NOT EXISTS 'facebook/dino-vits16' FROM 'hf://facebook/dino-vits16';
CREATE MODEL IF NOT EXISTS 'facebook/vit-msn-base' FROM 'hf://facebook/vit-msn-base';
CREATE MODEL IF NOT EXISTS 'facebook/vit-msn-small' FROM 'hf://facebook/vit-msn-small';
CREATE MODEL IF NOT EXISTS 'google/vit-base-patch16-224' FROM 'hf://google/vit-base-patch16-224';
CREATE MODEL IF NOT EXISTS 'google/vit-base-patch16-384' FROM 'hf://google/vit-base-patch16-384';
CREATE MODEL IF NOT EXISTS 'google/vit-base-patch32-224-in21k' FROM 'hf://google/vit-base-patch32-224-in21k';
CREATE MODEL IF NOT EXISTS 'lixiqi/beit-base-patch16-224-pt22k-ft22k-finetuned-FER2013-6e-05' FROM 'hf://lixiqi/beit-base-patch16-224-pt22k-ft22k-finetuned-FER2013-6e-05';
CREATE MODEL IF NOT EXISTS 'lixiqi/beit-base-patch16-224-pt22k-ft22k-finetuned-FER2013-7e-05' FROM 'hf://lixiqi/beit-base-patch16-224-pt22k-ft22k-finetuned-FER2013-7e-05';
CREATE MODEL IF NOT EXISTS 'lixiqi/beit-base-patch16-224-pt22k-ft22k-finetuned-FER-5e-05-3' FROM 'hf://lixiqi/beit-base-patch16-224-pt22k-ft22k-finetuned-FER-5e-05-3';
CREATE MODEL IF NOT EXISTS 'microsoft/beit-base-patch16-224' FROM 'hf://microsoft/beit-base-patch16-224';
CREATE MODEL IF NOT EXISTS 'microsoft/beit-base-patch16-224-pt22k' FROM 'hf://microsoft/beit-base-patch16-224-pt22k';
CREATE MODEL IF NOT EXISTS 'microsoft/beit-base-patch16-224-pt22k-ft22k' FROM 'hf://microsoft/beit-base-patch16-224-pt22k-ft22k';
CREATE MODEL IF NOT EXISTS 'microsoft/beit-base-patch16-384' FROM 'hf://microsoft/beit-base-patch16-384';
CREATE MODEL IF NOT EXISTS 'microsoft/beit-large-patch16-224-pt22k' FROM 'hf://microsoft/beit-large-patch16-224-pt22k';
CREATE MODEL IF NOT EXISTS 'mrgiraffe/vit-large-dataset-model-v3' FROM 'hf://mrgiraffe/vit-large-dataset-model-v3';
CREATE MODEL IF NOT EXISTS 'nateraw/vit-age-classifier' FROM 'hf://nateraw/vit-age-classifier';
CREATE MODEL IF NOT EXISTS 'oschamp/vit-artworkclassifier' FROM 'hf://oschamp/vit-artworkclassifier';
CREATE MODEL IF NOT EXISTS 'sail/poolformer_m36' FROM 'hf://sail/poolformer_m36';
CREATE MODEL IF NOT EXISTS 'sail/poolformer_m48' FROM 'hf://sail/poolformer_m48';
CREATE MODEL IF NOT EXISTS 'sail/poolformer_s36' FROM 'hf://sail/poolformer_s36';

-- These need the package natten.
CREATE MODEL IF NOT EXISTS 'shi-labs/dinat-base-in1k-224' FROM 'hf://shi-labs/dinat-base-in1k-224';
CREATE MODEL IF NOT EXISTS 'shi-labs/dinat-large-in22k-in1k-224' FROM 'hf://shi-labs/dinat-large-in22k-in1k-224';
CREATE MODEL IF NOT EXISTS 'shi-labs/dinat-large-in22k-in1k-384' FROM 'hf://shi-labs/dinat-large-in22k-in1k-384';

-- These need a transformers that has the type 'van'; version 5 has it no more.
CREATE MODEL IF NOT EXISTS 'Visual-Attention-Network/van-base' FROM 'hf://Visual-Attention-Network/van-base';
CREATE MODEL IF NOT EXISTS 'Visual-Attention-Network/van-large' FROM 'hf://Visual-Attention-Network/van-large';

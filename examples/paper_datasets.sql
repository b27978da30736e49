-- Registers the datasets of the paper on two-phase model selection (its Table IX) from the Hugging Face hub. Where a
-- dataset has moved to an owner since the paper, the address is today's; where its repository has a script in the place
-- of files, it is that of the branch to which the hub converts it. Where the paper does not say which column or
-- configuration it used, the choice here is one of several.
--
--     modelstore zoo.db --continue -f paper_datasets.sql

-- GLUE and SuperGLUE
CREATE DATASET IF NOT EXISTS cola FROM 'hf://nyu-mll/glue/cola' WITH (text = 'sentence', metric = 'matthews');
CREATE DATASET IF NOT EXISTS sst2 FROM 'hf://nyu-mll/glue/sst2' WITH (text = 'sentence');
CREATE DATASET IF NOT EXISTS mrpc FROM 'hf://nyu-mll/glue/mrpc' WITH (text = 'sentence1', text_pair = 'sentence2');
CREATE DATASET IF NOT EXISTS qqp FROM 'hf://nyu-mll/glue/qqp' WITH (text = 'question1', text_pair = 'question2');
CREATE DATASET IF NOT EXISTS rte FROM 'hf://nyu-mll/glue/rte' WITH (text = 'sentence1', text_pair = 'sentence2');
CREATE DATASET IF NOT EXISTS wnli FROM 'hf://nyu-mll/glue/wnli' WITH (text = 'sentence1', text_pair = 'sentence2');
CREATE DATASET IF NOT EXISTS boolq FROM 'hf://aps/super_glue/boolq@refs/convert/parquet' WITH (text = 'question', text_pair = 'passage');
CREATE DATASET IF NOT EXISTS cb FROM 'hf://aps/super_glue/cb@refs/convert/parquet' WITH (text = 'premise', text_pair = 'hypothesis');
CREATE DATASET IF NOT EXISTS wic FROM 'hf://aps/super_glue/wic@refs/convert/parquet' WITH (text = 'sentence1', text_pair = 'sentence2');
CREATE DATASET IF NOT EXISTS multirc FROM 'hf://aps/super_glue/multirc@refs/convert/parquet' WITH (text = 'question', text_pair = 'answer');

-- Other tasks on texts
CREATE DATASET IF NOT EXISTS mnli FROM 'hf://LysandreJik/glue-mnli-train' WITH (text = 'premise', text_pair = 'hypothesis');
CREATE DATASET IF NOT EXISTS qnli FROM 'hf://SetFit/qnli' WITH (text = 'text1', text_pair = 'text2');
CREATE DATASET IF NOT EXISTS xnli FROM 'hf://facebook/xnli/en' WITH (text = 'premise', text_pair = 'hypothesis');
CREATE DATASET IF NOT EXISTS stsb FROM 'hf://PhilipMay/stsb_multi_mt/en' WITH (text = 'sentence1', text_pair = 'sentence2', label = 'similarity_score', task = 'regression');
CREATE DATASET IF NOT EXISTS tweet_eval FROM 'hf://cardiffnlp/tweet_eval/emotion';
CREATE DATASET IF NOT EXISTS paws FROM 'hf://google-research-datasets/paws/labeled_final' WITH (text = 'sentence1', text_pair = 'sentence2');
CREATE DATASET IF NOT EXISTS financial_phrasebank FROM 'hf://takala/financial_phrasebank/sentences_allagree@refs/convert/parquet' WITH (text = 'sentence');
CREATE DATASET IF NOT EXISTS yahoo_answers_topics FROM 'hf://community-datasets/yahoo_answers_topics' WITH (text = 'question_title', label = 'topic');

-- Images
CREATE DATASET IF NOT EXISTS food101 FROM 'hf://ethz/food101';
CREATE DATASET IF NOT EXISTS 'oxford-flowers' FROM 'hf://nelorth/oxford-flowers';
CREATE DATASET IF NOT EXISTS snacks FROM 'hf://Matthijs/snacks@refs/convert/parquet';
CREATE DATASET IF NOT EXISTS beans FROM 'hf://AI-Lab-Makerere/beans' WITH (label = 'labels');
CREATE DATASET IF NOT EXISTS cats_vs_dogs FROM 'hf://microsoft/cats_vs_dogs' WITH (label = 'labels');
CREATE DATASET IF NOT EXISTS xray FROM 'hf://trpakov/chest-xray-classification/full@refs/convert/parquet' WITH (label = 'labels');
CREATE DATASET IF NOT EXISTS cifar10 FROM 'hf://uoft-cs/cifar10' WITH (image = 'img');
CREATE DATASET IF NOT EXISTS mnist FROM 'hf://ylecun/mnist';
CREATE DATASET IF NOT EXISTS birds FROM 'hf://alkzar90/CC6204-Hackaton-Cub-Dataset@refs/convert/parquet';
CREATE DATASET IF NOT EXISTS medmnist FROM 'hf://albertvillanova/medmnist-v2/pathmnist@refs/convert/parquet';

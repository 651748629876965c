"""Every message that a request can contain: its fields by their REST names, and the kind of each value.

A kind is ``string``, ``bytes`` (base64), ``int``, ``float``, ``bool``, ``time`` (RFC 3339), ``enum`` (a name in
capitals), ``any`` (the user's own data), or a message of this table; ``[X]`` is a list of it, ``{X}`` an object with
names chosen by the user.

Source: the types of Google's google-genai SDK, 2.34.0 to 3.6.1, with all fields of both. The SDK has no types for the
requests themselves: GenerateContentRequest and EmbedContentRequest are from Google's REST reference, which has other
names for the SDK's ``model_selection_config`` and ``generation_output_config``. `tests/referee/test_messages.py`
compares the table with the SDK.
"""

from __future__ import annotations

_TABLE = {
    "GenerateContentRequest": (
        "cachedContent:string contents:[Content] continuationToken:bytes "
        "generationConfig:GenerationConfig labels:{string} model:string modelArmorConfig:ModelArmorConfig "
        "outputConfig:GenerationOutputConfig safetySettings:[SafetySetting] serviceTier:string store:bool "
        "systemInstruction:Content toolConfig:ToolConfig tools:[Tool]"
    ),
    "GenerationConfig": (
        "audioTimestamp:bool audioTranscriptionConfig:AudioTranscriptionConfig candidateCount:int "
        "enableAffectiveDialog:bool enableEnhancedCivicAnswers:bool frequencyPenalty:float "
        "imageConfig:ImageConfig logprobs:int maxOutputTokens:int mediaResolution:enum "
        "modelConfig:ModelSelectionConfig presencePenalty:float responseFormat:[ResponseFormat] "
        "responseJsonSchema:any responseLogprobs:bool responseMimeType:string responseModalities:[string] "
        "responseSchema:Schema routingConfig:GenerationConfigRoutingConfig seed:int "
        "speechConfig:SpeechConfig stopSequences:[string] temperature:float thinkingConfig:ThinkingConfig "
        "topK:float topP:float translationConfig:TranslationConfig"
    ),
    "EmbedContentRequest": (
        "audioTrackExtraction:bool autoTruncate:bool content:Content documentOcr:bool "
        "embedContentConfig:EmbedContentConfig mimeType:string model:string outputDimensionality:int "
        "taskType:string title:string"
    ),
    "EmbedContentConfig": (
        "audioTrackExtraction:bool autoTruncate:bool documentOcr:bool mimeType:string "
        "outputDimensionality:int taskType:string title:string"
    ),
    "Content": "parts:[Part] role:string",
    "Part": (
        "audioMetadata:AudioMetadata audioTranscription:Transcription "
        "codeExecutionResult:CodeExecutionResult documentMetadata:DocumentMetadata "
        "executableCode:ExecutableCode fileData:FileData functionCall:FunctionCall "
        "functionResponse:FunctionResponse inlineData:Blob mediaProcessing:enum "
        "mediaResolution:PartMediaResolution partMetadata:{any} speechMetadata:SpeechMetadata "
        "spreadsheetMetadata:SpreadsheetMetadata text:string thought:bool thoughtSignature:bytes "
        "toolCall:ToolCall toolResponse:ToolResponse videoMetadata:VideoMetadata"
    ),
    "PartMediaResolution": "level:enum numTokens:int",
    "CodeExecutionResult": "id:string outcome:enum output:string",
    "ExecutableCode": "code:string id:string language:enum",
    "FileData": "displayName:string fileUri:string mimeType:string",
    "FunctionCall": "args:{any} id:string name:string partialArgs:[PartialArg] willContinue:bool",
    "PartialArg": (
        "boolValue:bool jsonPath:string nullValue:enum numberValue:float stringValue:string willContinue:bool"
    ),
    "FunctionResponse": (
        "id:string name:string parts:[FunctionResponsePart] response:{any} scheduling:enum willContinue:bool"
    ),
    "FunctionResponsePart": (
        "audioMetadata:AudioMetadata documentMetadata:DocumentMetadata fileData:FunctionResponseFileData "
        "inlineData:FunctionResponseBlob mediaProcessing:enum mediaResolution:PartMediaResolution "
        "spreadsheetMetadata:SpreadsheetMetadata videoMetadata:VideoMetadata"
    ),
    "FunctionResponseBlob": "data:bytes displayName:string mimeType:string",
    "FunctionResponseFileData": "displayName:string fileUri:string mimeType:string",
    "VideoMetadata": "contentLayers:[enum] endOffset:string fps:float startOffset:string",
    "DocumentMetadata": "contentLayers:[enum] endPage:int startPage:int",
    "SpreadsheetMetadata": "contentLayers:[enum] sheetIndex:int visibleCells:string",
    "AudioMetadata": "endOffset:string startOffset:string",
    "Blob": "data:bytes displayName:string mimeType:string",
    "ToolCall": "args:{any} id:string toolType:enum",
    "ToolResponse": "id:string response:{any} toolType:enum",
    "Transcription": (
        "endOffset:string finished:bool languageCode:string speakerLabel:string startOffset:string "
        "text:string words:[WordInfo]"
    ),
    "WordInfo": "endOffset:string startOffset:string word:string",
    "SpeechMetadata": "speaker:string style:string",
    "Schema": (
        "additionalProperties:any anyOf:[Schema] default:any defs:{Schema} description:string "
        "enum:[string] example:any format:string items:Schema maxItems:int maxLength:int "
        "maxProperties:int maximum:float minItems:int minLength:int minProperties:int minimum:float "
        "nullable:bool pattern:string properties:{Schema} propertyOrdering:[string] ref:string "
        "required:[string] title:string type:enum"
    ),
    "GenerationConfigRoutingConfig": (
        "autoMode:GenerationConfigRoutingConfigAutoRoutingMode "
        "manualMode:GenerationConfigRoutingConfigManualRoutingMode"
    ),
    "GenerationConfigRoutingConfigAutoRoutingMode": "modelRoutingPreference:enum",
    "GenerationConfigRoutingConfigManualRoutingMode": "modelName:string",
    "ModelSelectionConfig": "featureSelectionPreference:enum",
    "SafetySetting": "category:enum method:enum threshold:enum",
    "ToolConfig": (
        "functionCallingConfig:FunctionCallingConfig includeServerSideToolInvocations:bool "
        "retrievalConfig:RetrievalConfig"
    ),
    "RetrievalConfig": "languageCode:string latLng:LatLng",
    "LatLng": "latitude:float longitude:float",
    "FunctionCallingConfig": "allowedFunctionNames:[string] mode:enum streamFunctionCallArguments:bool",
    "SpeechConfig": (
        "languageCode:string multiSpeakerVoiceConfig:MultiSpeakerVoiceConfig voiceConfig:VoiceConfig"
    ),
    "VoiceConfig": (
        "prebuiltVoiceConfig:PrebuiltVoiceConfig replicatedVoiceConfig:ReplicatedVoiceConfig voice:string"
    ),
    "ReplicatedVoiceConfig": (
        "consentAudio:bytes mimeType:string voiceConsentSignature:VoiceConsentSignature "
        "voiceSampleAudio:bytes"
    ),
    "VoiceConsentSignature": "signature:string",
    "PrebuiltVoiceConfig": "voiceName:string",
    "MultiSpeakerVoiceConfig": "speakerVoiceConfigs:[SpeakerVoiceConfig]",
    "SpeakerVoiceConfig": "speaker:string voiceConfig:VoiceConfig",
    "ThinkingConfig": "includeThoughts:bool thinkingBudget:int thinkingLevel:enum",
    "ImageConfig": (
        "aspectRatio:string imageOutputOptions:ImageConfigImageOutputOptions imageSize:string "
        "outputCompressionQuality:int outputMimeType:string personGeneration:string prominentPeople:enum"
    ),
    "ImageConfigImageOutputOptions": "compressionQuality:int mimeType:string",
    "ModelArmorConfig": "promptTemplateName:string responseTemplateName:string",
    "AudioTranscriptionConfig": (
        "adaptationPhrases:[string] customVocabulary:[string] diarization:bool languageAuto:LanguageAuto "
        "languageCodes:[string] languageHints:LanguageHints mode:enum sourceText:string "
        "wordTimestamp:bool"
    ),
    "LanguageAuto": "",
    "LanguageHints": "languageCodes:[string]",
    "GenerationOutputConfig": "outputUriPrefix:string",
    "ResponseFormat": (
        "audio:AudioResponseFormat image:ImageResponseFormat text:TextResponseFormat "
        "video:VideoResponseFormat"
    ),
    "AudioResponseFormat": "bitRate:int delivery:enum mimeType:string sampleRate:int",
    "ImageResponseFormat": "aspectRatio:enum delivery:enum imageSize:enum mimeType:string",
    "TextResponseFormat": "mimeType:string schema:any",
    "VideoResponseFormat": "aspectRatio:enum delivery:enum duration:string gcsUri:string resolution:string",
    "TranslationConfig": "echoTargetLanguage:bool targetLanguageCode:string",
    "Tool": (
        "codeExecution:ToolCodeExecution computerUse:ComputerUse enterpriseWebSearch:EnterpriseWebSearch "
        "exaAiSearch:ToolExaAiSearch fileSearch:FileSearch functionDeclarations:[FunctionDeclaration] "
        "googleMaps:GoogleMaps googleSearch:GoogleSearch googleSearchRetrieval:GoogleSearchRetrieval "
        "mcpServers:[McpServer] parallelAiSearch:ToolParallelAiSearch retrieval:Retrieval "
        "urlContext:UrlContext"
    ),
    "Retrieval": (
        "disableAttribution:bool externalApi:ExternalApi vertexAiSearch:VertexAISearch "
        "vertexRagStore:VertexRagStore"
    ),
    "ExternalApi": (
        "apiAuth:ApiAuth apiSpec:enum authConfig:AuthConfig "
        "elasticSearchParams:ExternalApiElasticSearchParams endpoint:string "
        "simpleSearchParams:ExternalApiSimpleSearchParams"
    ),
    "ApiAuth": "apiKeyConfig:ApiAuthApiKeyConfig",
    "ApiAuthApiKeyConfig": "apiKeySecretVersion:string apiKeyString:string",
    "AuthConfig": (
        "apiKey:string apiKeyConfig:ApiKeyConfig authType:enum "
        "googleServiceAccountConfig:AuthConfigGoogleServiceAccountConfig "
        "httpBasicAuthConfig:AuthConfigHttpBasicAuthConfig oauthConfig:AuthConfigOauthConfig "
        "oidcConfig:AuthConfigOidcConfig"
    ),
    "ApiKeyConfig": "apiKeySecret:string apiKeyString:string httpElementLocation:enum name:string",
    "AuthConfigGoogleServiceAccountConfig": "serviceAccount:string",
    "AuthConfigHttpBasicAuthConfig": "credentialSecret:string",
    "AuthConfigOauthConfig": "accessToken:string serviceAccount:string",
    "AuthConfigOidcConfig": "idToken:string serviceAccount:string",
    "ExternalApiElasticSearchParams": "index:string numHits:int searchTemplate:string",
    "ExternalApiSimpleSearchParams": "",
    "VertexAISearch": (
        "dataStoreSpecs:[VertexAISearchDataStoreSpec] datastore:string engine:string filter:string "
        "maxResults:int"
    ),
    "VertexAISearchDataStoreSpec": "dataStore:string filter:string",
    "VertexRagStore": (
        "ragCorpora:[string] ragResources:[VertexRagStoreRagResource] "
        "ragRetrievalConfig:RagRetrievalConfig similarityTopK:int storeContext:bool "
        "vectorDistanceThreshold:float"
    ),
    "VertexRagStoreRagResource": "ragCorpus:string ragFileIds:[string]",
    "RagRetrievalConfig": (
        "filter:RagRetrievalConfigFilter hybridSearch:RagRetrievalConfigHybridSearch "
        "ranking:RagRetrievalConfigRanking topK:int"
    ),
    "RagRetrievalConfigFilter": (
        "metadataFilter:string vectorDistanceThreshold:float vectorSimilarityThreshold:float"
    ),
    "RagRetrievalConfigHybridSearch": "alpha:float",
    "RagRetrievalConfigRanking": (
        "llmRanker:RagRetrievalConfigRankingLlmRanker rankService:RagRetrievalConfigRankingRankService"
    ),
    "RagRetrievalConfigRankingLlmRanker": "modelName:string",
    "RagRetrievalConfigRankingRankService": "modelName:string",
    "ComputerUse": (
        "disabledSafetyPolicies:[enum] enablePromptInjectionDetection:bool environment:enum "
        "excludedPredefinedFunctions:[string]"
    ),
    "FileSearch": "fileSearchStoreNames:[string] metadataFilter:string topK:int",
    "GoogleSearch": (
        "blockingConfidence:enum excludeDomains:[string] searchTypes:SearchTypes timeRangeFilter:Interval"
    ),
    "SearchTypes": "imageSearch:ImageSearch webSearch:WebSearch",
    "WebSearch": "",
    "ImageSearch": "",
    "Interval": "endTime:time startTime:time",
    "GoogleMaps": "authConfig:AuthConfig enableWidget:bool groundingTypes:GoogleMapsGroundingTypes",
    "GoogleMapsGroundingTypes": "places:GoogleMapsPlaces routing:GoogleMapsRouting",
    "GoogleMapsPlaces": "",
    "GoogleMapsRouting": "",
    "ToolCodeExecution": "",
    "EnterpriseWebSearch": "blockingConfidence:enum excludeDomains:[string]",
    "FunctionDeclaration": (
        "behavior:enum description:string name:string parameters:Schema parametersJsonSchema:any "
        "response:Schema responseJsonSchema:any"
    ),
    "GoogleSearchRetrieval": "dynamicRetrievalConfig:DynamicRetrievalConfig",
    "DynamicRetrievalConfig": "dynamicThreshold:float mode:enum",
    "ToolParallelAiSearch": (
        "apiKey:string customConfigs:{any} enableDataRetention:bool enableZeroDataRetention:bool"
    ),
    "UrlContext": "",
    "McpServer": "name:string streamableHttpTransport:StreamableHttpTransport",
    "StreamableHttpTransport": (
        "headers:{string} sseReadTimeout:string terminateOnClose:bool timeout:string url:string"
    ),
    "ToolExaAiSearch": "apiKey:string customConfigs:{any}",
}

MESSAGES: dict[str, dict[str, str]] = {
    message: dict(field.split(":") for field in fields.split()) for message, fields in _TABLE.items()
}
"""Maps a message's name to its fields, and a field's name to its kind."""
